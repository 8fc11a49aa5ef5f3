"""One PKI and one mint for all tests of wire: making an RSA key is the only slow thing here."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest

from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.stimuli.tokens import HeldTokenIssuer, TokenIssuer
from harness.tests.wire.servers import client_context, server_context


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki.create(reference().pki)


@pytest.fixture(scope="session")
def deployment(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment") / "apic"
    pki.write(folder)
    return folder


@pytest.fixture(scope="session")
def token_issuer(pki: Pki) -> TokenIssuer:
    """A mint whose clock stands still and whose jti is always the same: two good tokens are equal to the byte."""
    start = time.time()
    return HeldTokenIssuer(
        pki.signing_key, pki.kid, clock=lambda: start, ids=lambda: "11111111-1111-4111-8111-111111111111"
    )


@pytest.fixture
def secrets(deployment: Path) -> Path:
    return deployment / "secrets"


@pytest.fixture
def ca(secrets: Path) -> Path:
    return secrets / "portal-admin" / "ca.crt"


@pytest.fixture
def tls(secrets: Path) -> ssl.SSLContext:
    """A server's context that asks for no client certificate."""
    return server_context(secrets / "portal-admin")


@pytest.fixture
def trusting(ca: Path) -> ssl.SSLContext:
    """A client's context that trusts the server's CA and presents nothing."""
    return client_context(ca)
