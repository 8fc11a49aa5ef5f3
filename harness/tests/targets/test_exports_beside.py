"""Exported files beside a live target: what is configured is compared with what is declared, and with what is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.config import validated
from harness.lab.reference import ReferenceLab
from harness.model.record import Row
from harness.model.vocabulary import Posture
from harness.run.run import Run
from harness.tests.places import SUBJECT, Place

EXPORTS = paths.FIXTURES / "exports"
MTLS, JWT = EXPORTS / "sound" / "kubernetes", EXPORTS / "live" / "jwt-portal.yaml"


@pytest.mark.parametrize(
    ("export", "fault", "outcome", "words"),
    [
        (MTLS, "", "PASS", "as required"),
        (JWT, "", "FAIL", "configures JWT; the server was judged as one with mTLS"),
        (MTLS, "requests-but-does-not-require", "FAIL", "let a client in without it"),
    ],
)
def test_files_and_server(
    export: Path, fault: str, outcome: str, words: str, lab: ReferenceLab, tmp_path: Path
) -> None:
    place = Place(lab, tmp_path)
    file = place.file(
        Posture.MTLS, server={"subject": SUBJECT}, client={**place.client, **place.ca, **place.ca_key}, fault=fault
    )
    found = Run(
        validated(
            {
                "target": [str(file), f"exports:{export}"],
                "report": str(tmp_path / "report"),
                "only": ["CFG-19", "FLW-2"],
            }
        )
    )
    found.start(found.cases)
    found.finish()
    row = next(row for row in found.rows if row["requirement"] == "CFG-19")
    assert (row["outcome"], words in row["reason"]) == (outcome, True), row["reason"]
    assert row["finding"] == ("" if outcome == "PASS" else "A server does not do what its files configure")


@pytest.mark.parametrize(
    ("export", "real", "said", "words"),
    [
        (JWT, Posture.JWT, Posture.JWT, ""),
        (JWT, Posture.BOTH, Posture.JWT, "configures JWT, and this endpoint still requires a client certificate"),
        (JWT, Posture.MTLS, Posture.JWT, "configures JWT, and this endpoint still requires a client certificate"),
        (MTLS, Posture.BOTH, Posture.MTLS, "configures mTLS, and flows/CFG-3/management-to-portal/mtls/direct/"),
        (MTLS, Posture.JWT, Posture.JWT, "configures mTLS; the server was judged as one with JWT"),
    ],
)
def test_a_server_that_does_more_or_less_than_its_file_says(
    export: Path, real: Posture, said: Posture, words: str, lab: ReferenceLab, tmp_path: Path
) -> None:
    """The target file says what the server does wrongly, too, but for the last."""
    place = Place(lab, tmp_path)
    client = {**place.client, **place.ca, **place.ca_key}
    server = {"subject": SUBJECT, "posture": str(said)}
    file = place.file(real, server=server, client=client, tokens=place.signing)
    rows = of(tmp_path, [str(file), f"exports:{export}"], ["CFG-19", "CFG-2", "CFG-3"])
    found = {row["requirement"]: row for row in rows if row["grade"] == "config"}
    assert found["CFG-2"]["outcome"] == "PASS"  # what files say does not depend on a server
    row = found["CFG-19"]
    assert (row["outcome"], words in row["reason"]) == ("FAIL" if words else "PASS", True), row["reason"]


def test_beside_a_server_that_cannot_be_judged_nothing_is_compared(lab: ReferenceLab, tmp_path: Path) -> None:
    place = Place(lab, tmp_path)
    server = {"subject": SUBJECT, "connect": "127.0.0.1:1"}
    file = place.file(Posture.MTLS, server=server, client={**place.client, **place.ca, **place.ca_key})
    rows = of(tmp_path, [str(file), f"exports:{MTLS}"], ["CFG-19", "CFG-2", "FLW-2"])
    outcomes = {row["requirement"]: row["outcome"] for row in rows if row["grade"] == "config"}
    assert outcomes == {"CFG-19": "UNOBSERVED", "CFG-2": "PASS"}


def of(folder: Path, target: list[str], only: list[str]) -> list[Row]:
    found = Run(validated({"target": target, "report": str(folder / "report"), "only": only}))
    found.start(found.cases)
    found.finish()
    return found.rows
