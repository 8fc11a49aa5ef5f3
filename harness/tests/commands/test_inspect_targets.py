"""``hopproof inspect --target FILE``: our own reference plays somebody else's server behind the inspector."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.commands.inspect import InspectOptions, inspect, session
from harness.commands.inspect.subject import open_subject
from harness.errors import UsageError
from harness.lab.reference import ReferenceLab
from harness.model.vocabulary import Posture
from harness.tests.places import SUBJECT, Place

CAPTURED = {"captured": {"env": "HOPPROOF_TEST_TOKEN"}}
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def place(lab: ReferenceLab, tmp_path: Path) -> Place:
    return Place(lab, tmp_path)


def _inspect(file: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "harness", "inspect", "--exercise", "--target", str(file), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_a_conforming_server_satisfies(place: Place) -> None:
    message = _inspect(place.file(Posture.JWT, tokens=place.signing))
    assert "sent exp-past: answered 401" in message and message.endswith("inspected: 6 satisfies")


def test_a_bad_server_violates_with_the_clients_certificate_shown(place: Place) -> None:
    client = {**place.client, **place.ca}
    server = {"subject": SUBJECT}
    file = place.file(Posture.BOTH, "accepts-missing-token", server=server, client=client, tokens=place.signing)
    message = _inspect(file, "--as-client")
    assert "sent good: answered 201" in message and "sent sig-wrong-key: answered 401" in message
    assert "violates" in message and "answered 201: accepted with no token" in message


def test_without_its_keys_a_signature_is_not_judged(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPPROOF_TEST_TOKEN", place.token())
    message = _inspect(place.file(Posture.JWT, tokens=CAPTURED))
    assert "sent good: answered 201" in message and "sent exp-past: not sent, " in message
    assert message.endswith("inspected: 3 not judged, 2 satisfies")


def test_a_session_of_a_target_names_it_and_holds_no_secret(place: Place, tmp_path: Path) -> None:
    file = place.file(Posture.JWT, tokens=place.signing)
    saved = tmp_path / "session.json"
    assert inspect(InspectOptions(target=str(file), save=saved), lambda _line: None) == 0
    message: dict[str, Any] = json.loads(saved.read_text("utf-8"))
    assert (
        message["target"] == str(file) and message["token"]["audience"] == ["n/a"] and not message["token"]["complete"]
    )
    assert "PRIVATE" not in saved.read_text("utf-8") and not {"certificate", "variants"} & set(message)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            {"environment": "production", "read_only": False, "tokens": {"captured": {"env": "HOPPROOF_TEST_TOKEN"}}},
            {},
        ),
        ({}, {"posture": "jwt"}),
        ({}, {"fault": "ignores-expiry"}),
        ({}, {"flow": "management-to-analytics"}),
        ({"read_only": True, "server": {"request": {"method": "GET", "path": "/api/health"}}}, {"flow": "none"}),
    ],
)
def test_what_makes_no_sense_is_refused(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, Any],
    wanted: dict[str, Any],
) -> None:
    monkeypatch.setenv("HOPPROOF_TEST_TOKEN", place.token())
    file = place.file(Posture.JWT, **{"tokens": place.signing, **more})
    with pytest.raises(UsageError):
        inspect(InspectOptions(target=str(file), **wanted), lambda _line: None)


def test_no_client_certificate_to_show(place: Place) -> None:
    subject = open_subject(InspectOptions(target=str(place.file(Posture.JWT, tokens=place.signing))))
    try:
        with pytest.raises(UsageError, match="no client certificate"):
            session.secrets(subject, as_client=True)
    finally:
        subject.close()
