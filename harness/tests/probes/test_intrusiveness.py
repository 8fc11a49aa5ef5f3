"""What a case does to the server it is sent to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.catalogue.registry import STIMULUS_CLASSES, catalogue
from harness.model.case import Case, Stimulus
from harness.model.vocabulary import Path, Posture
from harness.pki.deployment import Pki
from harness.probes.intrusiveness import intrusiveness
from harness.products.registry import reference
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.registry import Intrusiveness
from harness.stimuli.tokens import TOKEN_CLASSES, HeldTokenIssuer
from harness.tests.builders import SECOND

LONG = 4096
"""Octets of a token or a chain that a server may take its time over."""


def case(stimulus: Stimulus, method: str = "GET", expected: str = "token-refused") -> Case:
    flow = replace(catalogue().flows["management-to-portal"], method=method)
    return Case(catalogue().requirements[0], flow, Posture.MTLS, Path.DIRECT, stimulus, expected)


@pytest.mark.parametrize(
    ("found", "touches"),
    [
        (case(Stimulus("tls-no-cert"), expected="certificate-refused"), Intrusiveness.HANDSHAKE),
        (case(Stimulus("tls-no-cert"), "POST", "certificate-refused"), Intrusiveness.WRITE),
        (case(Stimulus(), expected="served"), Intrusiveness.REQUEST),
        (case(Stimulus(token="sig-wrong-key")), Intrusiveness.REQUEST),
        (case(Stimulus(token="sig-wrong-key"), "PUT"), Intrusiveness.WRITE),
        (case(Stimulus(token="str-many-dots")), Intrusiveness.STRESS),
        (case(Stimulus(token="str-many-dots"), "POST"), Intrusiveness.STRESS),
    ],
)
def test_what_a_case_touches(found: Case, touches: Intrusiveness) -> None:
    assert intrusiveness(found) is touches


def test_whatever_is_long_counts_as_stress() -> None:
    pki = Pki.create(reference().pki)
    token_issuer = HeldTokenIssuer.of(pki)
    tokens = {name: row.build(token_issuer) for name, row in TOKEN_CLASSES.items()}
    classes = {name: row for name, row in CERTIFICATE_CLASSES.items() if name != SECOND}
    chains = {name: row.build(pki, "portal-admin-client") for name, row in classes.items()}
    stress = {name for name, row in STIMULUS_CLASSES.items() if row.intrusive is Intrusiveness.STRESS}
    long = {name for name, made in tokens.items() if sum(len(value) for _, value in made.headers) > LONG}
    assert long | {name for name, made in chains.items() if made and len(made.pem()) > LONG} == stress
