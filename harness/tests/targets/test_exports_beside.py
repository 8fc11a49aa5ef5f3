"""Exported files beside a live target: what is configured is compared with what is declared, and with what is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.config import validated
from harness.lab.reference import ReferenceLab
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
