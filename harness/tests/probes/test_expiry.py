"""When an expired token that is served again shows a cache."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.checks.dialect import Dialect, Refusal
from harness.model.exchange import ClientView
from harness.probes.expiry import present_again
from harness.stimuli.unavailable import StimulusUnavailable
from harness.tests import builders
from harness.wire.send import Prepared, prepare

TOKEN, UNSEEN = prepare("GET", "/token", (), b""), prepare("GET", "/unseen", (), b"")


def again(*answers: int | None, dialect: Dialect | None = None) -> tuple[ClientView, Sequence[Prepared]]:
    """What :func:`present_again` returns where the server gives these *answers* in turn, and what was sent."""
    sent: list[Prepared] = []

    def ask(request: Prepared) -> ClientView:
        sent.append(request)
        return builders.client(answers[len(sent) - 1])

    return present_again(ask, TOKEN, UNSEEN, 0.0, dialect or Dialect()), sent


def test_what_is_refused_is_judged_at_once() -> None:
    client, sent = again(401, 401)
    assert client.response is not None
    assert (client.response.status, sent) == (401, [UNSEEN, TOKEN])


def test_what_is_served_is_judged_where_an_unseen_token_is_refused_before_and_after() -> None:
    client, sent = again(401, 201, 401)
    assert client.response is not None
    assert (client.response.status, sent) == (201, [UNSEEN, TOKEN, UNSEEN])


@pytest.mark.parametrize("answers", [(201, 201, 201), (201, 401), (401, 201, 201)])
def test_a_leeway_or_another_clock_hides_it(answers: tuple[int, ...]) -> None:
    with pytest.raises(StimulusUnavailable, match="hidden by the server's leeway"):
        again(*answers)


@pytest.mark.parametrize("status", [None, 429, 503])
def test_what_is_no_refusal_shows_nothing(status: int | None) -> None:
    with pytest.raises(StimulusUnavailable, match=f"answered {status or 'nothing'}, which is not a refusal"):
        again(401, 201, status)


def test_a_server_that_fails_is_judged_for_that() -> None:
    client, _ = again(500, 500)
    assert client.response is not None
    assert client.response.status == 500


def test_the_dialect_says_what_a_refusal_is() -> None:
    dialect = Dialect(refusal=Refusal(status=200))
    client, sent = again(200, 201, 200, dialect=dialect)
    assert client.response is not None
    assert (client.response.status, len(sent)) == (201, 3)
