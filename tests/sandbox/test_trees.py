"""A server that comes as one archive runs from the pinned files, or not at all."""

import hashlib
import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.parts import Product, SandboxError
from sandbox.parts.artifacts import Artifact
from sandbox.parts.trees import Tree, ensure_tree, tree_sha256
from tests.support.maven import serving

FILES = {"server-1.0/run.jar": b"run" * 1000, "server-1.0/lib/a.jar": b"a" * 50_000, "server-1.0/müll.txt": b""}
PRODUCT = Product("A server", "1.0", oldest_java=17, way_out="Way out: do without.")


def tar_gz(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def pinned(coordinate, body, files=FILES):
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n".encode())
    return Tree(Artifact(coordinate, len(body), hashlib.sha256(body).hexdigest()), digest.hexdigest())


@pytest.fixture
def repository(monkeypatch):
    with serving({}, monkeypatch) as server:
        yield server


@pytest.fixture
def said():
    return []


@pytest.fixture(params=["tar.gz", "zip"])
def tree(request, repository):
    """Published and pinned."""
    body = (tar_gz if request.param == "tar.gz" else zipped)(FILES)
    coordinate = f"org.example.deep:server:1.0:all@{request.param}"
    repository.files[f"/maven2/org/example/deep/server/1.0/server-1.0-all.{request.param}"] = body
    return pinned(coordinate, body)


def test_it_is_fetched_and_unpacked_once_and_the_archive_not_kept(tree, repository, tmp_path, said):
    home = ensure_tree(tree, tmp_path / "deep" / "cache", PRODUCT, said.append)
    found = {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert found == FILES
    assert ensure_tree(tree, tmp_path / "deep" / "cache", PRODUCT, said.append) == home
    assert repository.asked.total() == 1
    assert said == [f"Fetching A server 1.0 (0 MB, once) into {tmp_path / 'deep' / 'cache'}"]
    assert {path.name for path in home.parent.iterdir()} == {"files", ".lock"}


@pytest.mark.parametrize("harm", ["changed", "gone", "added"])
def test_files_that_are_not_the_pinned_ones_are_replaced(tree, repository, tmp_path, said, harm):
    home = ensure_tree(tree, tmp_path, PRODUCT, said.append)
    target = home / "server-1.0" / "run.jar"
    match harm:
        case "changed":
            target.write_bytes(b"RUN" * 1000)
        case "gone":
            target.unlink()
        case "added":
            target.with_name("evil.jar").write_bytes(b"x")
    assert ensure_tree(tree, tmp_path, PRODUCT, said.append) == home
    assert tree_sha256(home) == tree.sha256
    assert repository.asked.total() == 2


def test_an_archive_that_holds_something_else_is_refused_and_nothing_kept(tree, tmp_path, said):
    other = Tree(tree.archive, "0" * 64)
    with pytest.raises(SandboxError, match=r"Refused org.example.deep:server.* unpacks to .* Way out: do without"):
        ensure_tree(other, tmp_path, PRODUCT, said.append)
    assert not (tmp_path / "files").exists()


def test_starts_at_the_same_time_fetch_once(tree, repository, tmp_path, said):
    with ThreadPoolExecutor(4) as pool:
        homes = set(pool.map(lambda _: ensure_tree(tree, tmp_path, PRODUCT, said.append), range(4)))
    assert len(homes) == 1
    assert repository.asked.total() == 1


def test_a_cache_that_cannot_be_made_is_said(tree, tmp_path, said):
    (tmp_path / "cache").write_text("a file where a directory should be")
    with pytest.raises(SandboxError, match=r"Keeping A server 1.0 in .* failed"):
        ensure_tree(tree, tmp_path / "cache", PRODUCT, said.append)
