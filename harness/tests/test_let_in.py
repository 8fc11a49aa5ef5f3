"""Servers that serve whoever asks, judged from outside: nobody and strangers are let in, and nothing else is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge import STRANGERS
from harness.lab.reference import ReferenceLab
from harness.model.vocabulary import Posture
from harness.tests.places import SUBJECT, Place, of


@pytest.fixture
def place(lab: ReferenceLab, tmp_path: Path) -> Place:
    return Place(lab, tmp_path)


def test_a_server_that_lets_everybody_in_does_not_conform(place: Place) -> None:
    run = place.run(place.file(Posture.JWT, "ignores-token", tokens=place.signing))
    assert (run.status, run.trouble) == (1, [])
    assert {part for name in of(run, "FAIL") for part in name.split("+")} <= STRANGERS
    assert {"str-no-token", "sig-wrong-key", "alg-none"} <= of(run, "FAIL")
    assert {"good", "exp-past", "sig-payload-tamper"} <= of(run, "UNOBSERVED")
    assert of(run, "PASS") <= {"t-plaintext"}
    assert of(run, "HARNESS_ERROR") == set()


@pytest.mark.parametrize(
    ("is_", "fault", "declared"),
    [
        (Posture.MTLS, "accepts-no-client-certificate", Posture.MTLS),
        (Posture.JWT, "ignores-token", Posture.BOTH),
    ],
)
def test_a_server_that_asks_for_no_certificate_does_not_conform(
    place: Place, is_: Posture, fault: str, declared: Posture
) -> None:
    client = {**place.client, **place.ca, **place.ca_key}
    server = {"posture": str(declared), "subject": SUBJECT}
    run = place.run(place.file(is_, fault, server=server, client=client, tokens=place.signing))
    assert (run.status, run.trouble) == (1, [])
    assert {"tls-no-cert", "ta-unknown-ca"} <= of(run, "FAIL")
    assert {"v-expired-leaf", "eku-server-only"} <= of(run, "UNOBSERVED")
    assert of(run, "PASS") <= {"t-plaintext"}


def test_everybody_let_in_without_any_good_credential(place: Place) -> None:
    run = place.run(place.file(Posture.JWT, "ignores-token", tokens={"none": True}))
    assert run.status == 1
    assert {part for name in of(run, "FAIL") for part in name.split("+")} <= STRANGERS
    assert {"str-no-token", "sig-wrong-key", "alg-none"} <= of(run, "FAIL")
