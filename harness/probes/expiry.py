"""An accepted token, presented again after it has expired: when that shows a cache, and when a leeway hides it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from harness.checks.dialect import Dialect
from harness.model.exchange import ClientView
from harness.stimuli.unavailable import StimulusUnavailable
from harness.wire.send import Prepared

_TOO_MANY = 429

Ask = Callable[[Prepared], ClientView]


def present_again(ask: Ask, token: Prepared, unseen: Prepared, seconds: float, dialect: Dialect) -> ClientView:
    """What the server answers to *token*, which it has served, once *seconds* have passed and it has expired.

    *unseen* has a token that expired at the same moment and that the server has never seen.  It goes first; where the
    expired token is served, it goes once more, so that servers behind one address whose clocks disagree are noticed.
    Raises StimulusUnavailable where the answer shows no cache.
    """
    threading.Event().wait(seconds)  # that the token expires is the stimulus
    others = [ask(unseen)]
    again = ask(token)
    if _served(again, dialect):
        others.append(ask(unseen))
    if why := unshown(others, again, dialect):
        raise StimulusUnavailable(why)
    return again


def unshown(others: Sequence[ClientView], again: ClientView, dialect: Dialect) -> str:
    """Why the answer to the expired token, presented *again*, shows no cache; '' where it may be judged.

    *others* are the answers to the token that the server had never seen.
    """
    if any(_served(other, dialect) for other in others):
        return (
            "hidden by the server's leeway: it still serves a token, never seen before, that expired at the same moment"
        )
    unclear = [other for other in others if not _refused(other, dialect)]
    if _served(again, dialect) and unclear:
        status = unclear[0].response.status if unclear[0].response else "nothing"
        return (
            f"a token, never seen before, that expired at the same moment is answered {status}, which is not a refusal"
        )
    return ""


def _served(client: ClientView, dialect: Dialect) -> bool:
    response = client.response
    return response is not None and response.status < 400 and not dialect.refuses(response)


def _refused(client: ClientView, dialect: Dialect) -> bool:
    response = client.response
    if response is None:
        return False
    return dialect.refuses(response) or (400 <= response.status < 500 and response.status != _TOO_MANY)
