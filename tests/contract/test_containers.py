"""Dockerfile and docker-compose.yml, as far as a machine without an engine can look at them."""

import re
from pathlib import Path

import pytest
import yaml

from connector.settings import known_names

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def stages() -> dict[str, list[str]]:
    """Instructions by stage."""
    joined = DOCKERFILE.replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in (line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")):
        if match := re.match(r"FROM \S+ AS (\S+)", line):
            found[match[1]] = []
        found[list(found)[-1]].append(line)
    return found


def test_every_base_image_has_a_version():
    """No `latest`, neither in the Dockerfile nor in the compose file."""
    images = re.findall(r"^FROM (\S+) AS|--from=(\S+/\S+) ", DOCKERFILE, re.MULTILINE)
    named = [image for pair in images for image in pair if image and image not in stages()]
    named += [service["image"] for service in SERVICES.values()]
    assert named
    assert all(re.search(r":[\d.]+", image) for image in named), named


@pytest.mark.parametrize("target", ["worker", "sandbox"])
def test_what_runs_is_not_root(target):
    """The last USER of each image that is run is the unprivileged one."""
    users = [line.split()[1] for line in stages()[target] if line.startswith("USER")]
    assert users[-1:] == ["10001"]


def test_the_worker_image_has_no_sandbox_and_a_health_check():
    """It copies from the stage in which the sandbox was removed."""
    worker = "\n".join(stages()["worker"])
    assert "--from=without-sandbox" in worker
    assert "HEALTHCHECK" in worker
    assert '"idhub-aws", "alive"' in worker


def test_every_folder_that_is_copied_is_let_into_the_build():
    """`.dockerignore` shuts everything out but what COPY names."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {
        word
        for line in stages()["build"]
        if line.startswith("COPY") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_are_locked_down(name):
    """Read-only file system, no capabilities, no new privileges, a target that the Dockerfile has."""
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["build"]["target"] in stages()


def test_ports_are_published_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_setting_that_is_named_is_known():
    """A misspelt setting would stop the worker at start."""
    given = {name for service in OURS.values() for name in service.get("environment", {})}
    given |= set(re.findall(r"(IDHUB_AWS_\w+)=", DOCKERFILE))
    assert {name for name in given if name.startswith("IDHUB_AWS_")} <= set(known_names())


def test_whatever_is_depended_on_is_there():
    needed = {other for service in SERVICES.values() for other in service.get("depends_on", {})}
    assert needed <= SERVICES.keys()
