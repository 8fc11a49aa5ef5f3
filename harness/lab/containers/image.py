"""The image everything runs in: what is copied into it, and when it has to be built.

``python -m harness.lab.containers.image [--context DIR] [--tests]`` builds it, or only puts its context together.
Wheels are taken from the folder that HOPPROOF_WHEELHOUSE names, if it names one; else pip fetches them while building.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

import docker.errors
from testcontainers.core.image import DockerImage

import harness
import mitm_addons
from harness import paths
from harness.errors import LabError, UsageError
from harness.lab.containers import docker_api
from harness.pki.temporary import prefix

REPOSITORY = "hopproof/lab"
BASE = "python:3.13-slim-trixie"
WHEELHOUSE = "HOPPROOF_WHEELHOUSE"
REQUIREMENTS = "requirements.txt"
BUILD_SECONDS = 900
"""How long a step of the build may be silent: one fetches every wheel."""
# Of the extra "dev", what running the tests takes; a test compares them.
_TESTS = (
    "dpkt>=1.9.8,<2",
    "jsonpatch>=1.33,<2",
    "kubernetes-validate>=1.31",
    "pkilint>=0.13.3,<0.14",
    "pytest-xdist>=3.6,<4",
    "scapy>=2.6,<3",
    "tlslite-ng>=0.8.2,<0.9",
    "lxml>=6,<7",
)
_LEFT_OUT = shutil.ignore_patterns("tests", "__pycache__", "_data", "*.pyc")


def ready_image() -> str:
    """The tag of the image for exactly this code; built now if there is none.  Raises LabError."""
    with tempfile.TemporaryDirectory(prefix=prefix("image")) as folder:
        tag = write_context(Path(folder))
        try:
            docker_api.client().client.images.get(tag)
        except docker.errors.ImageNotFound:
            build(Path(folder), tag)
    return tag


def build(folder: Path, tag: str, target: str = "lab") -> None:
    """Build the context in *folder* as *tag*; intermediate containers go, layers stay for the next build."""
    offline = any((folder / "wheels").iterdir())
    network = "none" if offline else "default"
    try:
        limit = {"timeout": BUILD_SECONDS}
        DockerImage(folder, limit, tag, clean_up=False, network_mode=network, target=target, forcerm=True).build()
    except docker.errors.BuildError as error:
        lines = [str(line.get("stream", "")).strip() for line in error.build_log]
        said = next((line for line in reversed(lines) if line), "")
        raise LabError(f"the image cannot be built: {error.msg}: {said}", hint=_attempt()) from error
    except docker.errors.APIError as error:
        raise LabError(f"the image cannot be built: {error.explanation or error}", hint=_attempt()) from error
    except docker_api.NO_ANSWER as error:
        raise LabError(
            (f"the image cannot be built: the daemon closed the connection: {error}"), hint=_attempt()
        ) from error


def _attempt() -> str:
    return (
        f"docker pull {BASE}; without a registry, fixtures/images/make-base.sh and a wheelhouse in {WHEELHOUSE} "
        "(docs/containers.md)"
    )


def write_context(folder: Path) -> str:
    """Put the build context into *folder*; the tag says what is in it."""
    code = folder / "code"
    for package in (harness, mitm_addons):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, code / source.name, ignore=_LEFT_OUT)
    data = code / "harness" / "_data"
    for source, name in ((paths.SUITES, "suites"), (paths.FIXTURES, "fixtures"), (paths.SCHEMA, "schema")):
        shutil.copytree(source, data / name, ignore=_LEFT_OUT)
    shutil.copyfile(paths.FIXTURES / "images" / "Dockerfile", folder / "Dockerfile")
    requirements = "\n".join(_requirements()) + "\n"
    for location in (folder, data):  # the second, so that the image can be built from within itself
        (location / REQUIREMENTS).write_text(requirements, "utf-8")
    (folder / "requirements-tests.txt").write_text("\n".join(_TESTS) + "\n", "utf-8")
    digest = _digest(folder)
    _wheels(folder / "wheels")
    return f"{REPOSITORY}:{digest}"


def _requirements() -> list[str]:
    """What Hopproof depends on: the image's word, the checkout's, or that of the installed package."""
    package = Path(harness.__file__).parent
    noted, project = package / "_data" / REQUIREMENTS, package.parent / "pyproject.toml"
    if noted.is_file():
        return noted.read_text("utf-8").split("\n")[:-1]
    if project.is_file():
        return list(tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"])
    required = importlib.metadata.requires("hopproof") or []
    return [line for line in required if "extra ==" not in line]


def _digest(folder: Path) -> str:
    """The same for the same content, whatever its dates."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        found.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()[:12]


def _wheels(folder: Path) -> None:
    folder.mkdir()
    house = os.environ.get(WHEELHOUSE)
    if not house:
        return
    found = sorted(Path(house).glob("*.whl"))
    if not found:
        raise UsageError("it contains no wheels", where=f"{WHEELHOUSE}={house}", hint="docs/containers.md")
    for wheel in found:
        # The context is read, packed and thrown away: links spare the copies.
        os.link(wheel, folder / wheel.name) if _same_device(wheel, folder) else shutil.copyfile(
            wheel, folder / wheel.name
        )


def _same_device(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def main() -> int:
    """Build the image, or put its context together, and say what it is called."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", type=Path, help="only put the build context there")
    parser.add_argument("--tests", action="store_true", help="the image that the project's own tests run in")
    arguments = parser.parse_args()
    if arguments.context:
        print(write_context(arguments.context))  # noqa: T201
    elif arguments.tests:
        with tempfile.TemporaryDirectory(prefix=prefix("image")) as folder:
            write_context(Path(folder))
            build(Path(folder), f"{REPOSITORY}-tests", "tests")
        print(f"{REPOSITORY}-tests")  # noqa: T201
    else:
        print(ready_image())  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
