"""Keycloak's files with our options compiled in.

A path such as the guide's `/auth` is an option of Keycloak's build, which takes half a minute (26.7.3): it is done once
per machine, and what comes of it is kept beside the archive's files.
"""

import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from sandbox.parts.artifacts import Artifact
from sandbox.parts.errors import SandboxError, unusable_path
from sandbox.parts.java import jvm_flags
from sandbox.parts.product import Product
from sandbox.parts.trees import Tree, alone, ensure_tree, tree_sha256

KEYCLOAK = Product(
    "Keycloak",
    "26.7.3",
    oldest_java=17,
    way_out="Way out: use a Keycloak of your own, or leave this one out.",
)

ARCHIVE = Tree(
    Artifact(
        "org.keycloak:keycloak-quarkus-dist:26.7.3@zip",
        176_710_367,
        "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f",
    ),
    sha256="f2075750b783b091307d92af5bbaec78c040b7cff19e41a85cd1d390316f370e",
)

SHORT = "keycloak"

PATH = "/auth"
"""As in the guide's URLs; Keycloak's own default is none."""
BUILD_OPTIONS = (f"--http-relative-path={PATH}", "--db=dev-file")

HEAP_MB = 384
BUILD_TIMEOUT_S = 300
_THREADS = "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"
_ENTRY_POINT = "io.quarkus.bootstrap.runner.QuarkusEntryPoint"


def java_command(java: Path, home: Path) -> list[str]:
    """What `bin/kc.sh` ends up running, without a shell in between that would take the signals."""
    opens = ("java.util", "java.util.concurrent", "java.security", "java.lang")
    return [
        str(java),
        *jvm_flags(home, HEAP_MB),
        "-Dfile.encoding=UTF-8",
        "-Duser.language=en",
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={_THREADS}",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in opens),
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        str(home / "lib" / "quarkus-run.jar"),
        _ENTRY_POINT,
    ]


def built_files(java: Path, say: Callable[[str], None]) -> Path:
    """The archive's files with our options compiled in; hashed at every start like everything else.

    Raises:
        SandboxError: the archive cannot be had, or Keycloak's build failed.
    """
    cache = KEYCLOAK.cache_dir(SHORT)
    files = ensure_tree(ARCHIVE, cache, KEYCLOAK, say) / f"keycloak-{KEYCLOAK.version}"
    name = f"built-{sha256(' '.join(BUILD_OPTIONS).encode()).hexdigest()[:12]}"
    built, noted = cache / name, cache / f"{name}.sha256"
    try:
        with alone(cache):
            if built.is_dir() and noted.is_file() and tree_sha256(built) == noted.read_text("ascii"):
                return built
            say(f"Building {KEYCLOAK} for {PATH} (once, half a minute)")
            shutil.rmtree(built, ignore_errors=True)
            _copy(files, built)
            _build(java, built)
            noted.write_text(tree_sha256(built), "ascii")
    except OSError as error:
        raise unusable_path(f"Building {KEYCLOAK} in {cache}", error) from error
    return built


def _copy(files: Path, built: Path) -> None:
    """Links for what stays as it is (180 MB), copies for what the build writes."""

    def link(source: str, target: str) -> None:
        path = Path(source)
        if path.parent.name == "quarkus" or path.parent == files:
            shutil.copy2(source, target)
        else:
            Path(target).hardlink_to(source)

    shutil.copytree(files, built, copy_function=link)


def _build(java: Path, built: Path) -> None:
    ran = subprocess.run(
        [*java_command(java, built), "build", *BUILD_OPTIONS],
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if ran.returncode != 0:
        last = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()][-5:]
        raise SandboxError("\n  ".join([f"{KEYCLOAK}'s build failed (exit code {ran.returncode}):", *last]))
