"""A passthrough, by the handshake: another certificate, or another wish for one, shows that TLS ends in between."""

from __future__ import annotations

import pytest

from harness.model.exchange import Exchange
from harness.model.observations import Compared
from harness.model.vocabulary import Path
from harness.tests.builders import ask, case
from harness.tests.checks.support import CLIENT_ONLY, found

SERVER = {"leaf": "1e4f", "asked": True, "fault": ""}
OTHER = {**SERVER, "leaf": "07e2"}
AWAY = {"leaf": "", "asked": False, "fault": "cannot connect"}


@pytest.mark.parametrize(
    ("compared", "kind", "code"),
    [
        ({"own": "", "front": SERVER, "direct": SERVER}, "note", "same-certificate"),
        ({"own": "1e4f", "front": SERVER}, "note", "same-certificate"),
        ({"own": "", "front": OTHER, "direct": SERVER}, "violation", "other-certificate"),
        ({"own": "1e4f", "front": OTHER}, "violation", "other-certificate"),
        # The address counts for more than a digest that may be last year's.
        ({"own": "07e2", "front": OTHER, "direct": SERVER}, "violation", "other-certificate"),
        # A copy of the key in front, and nobody who asks for a client certificate there; or the other way round.
        ({"own": "", "front": {**SERVER, "asked": False}, "direct": SERVER}, "violation", "other-handshake"),
        ({"own": "", "front": SERVER, "direct": {**SERVER, "asked": False}}, "violation", "other-handshake"),
        ({"own": "1e4f", "front": AWAY}, "unobserved", "certificate-unseen"),
        ({"own": "1e4f", "front": SERVER, "direct": AWAY}, "unobserved", "certificate-unseen"),
        ({"own": "", "front": SERVER}, "unobserved", "certificate-unseen"),
    ],
)
def test_own_certificate(compared: Compared, kind: str, code: str) -> None:
    question = case("own-certificate", path=Path.PASSTHROUGH)
    assert found(ask(question, Exchange("", extra={"compared": compared}), CLIENT_ONLY)) == [(kind, code)]
