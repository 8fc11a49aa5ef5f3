"""A deployment with a process a module; one of its own for tests that move the clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.tests.subsystems.support import Deployment, Process


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _deployment(folder: Path, key: rsa.RSAPrivateKey) -> Iterator[Deployment]:
    pki = Pki.create(reference().pki, signing_key=key)
    pki.write(folder)
    process = Process()
    deployment = Deployment(folder, pki, process)
    try:
        management = deployment.start("management")
        deployment.jwks_url = f"https://api.apic.test:{management.port}/api/cloud/oauth2/certs"
        yield deployment
    finally:
        assert process.end() == 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, signing_key: rsa.RSAPrivateKey) -> Iterator[Deployment]:
    """A deployment whose management is up; its clock is not to be moved."""
    yield from _deployment(tmp_path_factory.mktemp("lab"), signing_key)


@pytest.fixture
def own_lab(tmp_path: Path, signing_key: rsa.RSAPrivateKey) -> Iterator[Deployment]:
    """The same, for one test."""
    yield from _deployment(tmp_path, signing_key)
