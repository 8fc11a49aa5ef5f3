"""What a case does to the server it is sent to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.known import catalogue
from harness.lab.touch import _STRESS, Touch, touch
from harness.model.case import Case, Stimulus
from harness.model.vocabulary import Path, Posture
from harness.wire.certificates import CERTIFICATE_CLASSES
from harness.wire.pki import Pki
from harness.wire.tokens import TOKEN_CLASSES, Mint

LONG = 4096
"""Octets of a token or a chain that a server may take its time over."""


def case(stimulus: Stimulus, method: str = "GET", expected: str = "token-refused") -> Case:
    flow = replace(catalogue().flows["management-to-portal"], method=method)
    return Case(catalogue().requirements[0], flow, Posture.MTLS, Path.DIRECT, stimulus, expected)


@pytest.mark.parametrize(
    ("found", "touches"),
    [
        (case(Stimulus("tls-no-cert"), expected="certificate-refused"), Touch.HANDSHAKE),
        (case(Stimulus("tls-no-cert"), "POST", "certificate-refused"), Touch.WRITE),
        (case(Stimulus(), expected="served"), Touch.REQUEST),
        (case(Stimulus(token="sig-wrong-key")), Touch.REQUEST),
        (case(Stimulus(token="sig-wrong-key"), "PUT"), Touch.WRITE),
        (case(Stimulus(token="str-many-dots")), Touch.STRESS),
        (case(Stimulus(token="str-many-dots"), "POST"), Touch.STRESS),
    ],
)
def test_what_a_case_touches(found: Case, touches: Touch) -> None:
    assert touch(found) is touches


def test_whatever_is_long_counts_as_stress() -> None:
    pki = Pki.create()
    mint = Mint.of(pki)
    tokens = {name: row.build(mint) for name, row in TOKEN_CLASSES.items()}
    chains = {name: row.build(pki, "portal-admin-client") for name, row in CERTIFICATE_CLASSES.items()}
    long = {name for name, made in tokens.items() if sum(len(value) for _, value in made.headers) > LONG}
    assert long | {name for name, made in chains.items() if made and len(made.pem()) > LONG} == _STRESS
