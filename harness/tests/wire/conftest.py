"""One PKI and one mint for all tests of wire: making an RSA key is the only slow thing here."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.wire.pki import Pki
from harness.wire.tokens import Mint


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="session")
def deployment(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment") / "apic"
    pki.write(folder)
    return folder


@pytest.fixture(scope="session")
def mint(pki: Pki) -> Mint:
    """A mint whose clock stands still and whose jti is always the same: two good tokens are equal to the byte."""
    start = time.time()
    return Mint(pki.signing_key, pki.kid, clock=lambda: start, ids=lambda: "11111111-1111-4111-8111-111111111111")
