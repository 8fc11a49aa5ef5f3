"""A lab that lives long registers a gateway again before the token of its registration expires."""

from __future__ import annotations

from typing import Any

import pytest

from harness.catalogue.registry import catalogue
from harness.lab import Entrypoint, reference
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.observations import DrivenClient
from harness.model.protocol import Destination
from harness.model.vocabulary import Path, Posture


@pytest.mark.parametrize(("seconds", "times"), [(300.0, 1), (0.0, 3)])
def test_registered_again(lab: ReferenceLab, monkeypatch: pytest.MonkeyPatch, seconds: float, times: int) -> None:
    monkeypatch.setattr(reference, "REGISTRATION_SECONDS", seconds)
    monkeypatch.setattr(lab, "_registered", {})
    done: list[str] = []
    act = lab._act

    def watched(client: Any, action: str, target: Destination, nonce: str) -> DrivenClient:
        done.append(action)
        return act(client, action, target, nonce)

    monkeypatch.setattr(lab, "_act", watched)
    setup = Setup("analytics", Posture.JWT, Path.DIRECT)
    entrypoint = lab.open([setup])[setup]
    assert isinstance(entrypoint, Entrypoint)
    for number in range(3):
        answer = lab.act(entrypoint, catalogue().flows["api-gateway-to-analytics"], f"fp-registration-{number}")
        assert answer["status"] == 202
    assert done.count("register-gateway") == times
