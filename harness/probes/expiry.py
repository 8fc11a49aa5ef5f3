"""An accepted token, presented again after it has expired: when that shows a cache, and when a leeway hides it."""

from __future__ import annotations

import threading

from harness.checks.dialect import Dialect
from harness.model.exchange import ClientView

_TOO_MANY = 429


def wait(seconds: float) -> None:
    """Let the token expire: that it does is the stimulus."""
    threading.Event().wait(seconds)


def unshown(unseen: ClientView, again: ClientView, dialect: Dialect) -> str:
    """Why the answer to the expired token, presented *again*, shows no cache; '' where it may be judged.

    *unseen* is the answer to a token that expired at the same moment and that the server had never seen.
    """
    if _served(unseen, dialect):
        return "the server's leeway hides it: it still serves a never-seen token that expired at the same moment"
    if _served(again, dialect) and not _refused(unseen, dialect):
        status = unseen.response.status if unseen.response else "nothing"
        return f"a never-seen token that expired at the same moment is answered {status}, which is no refusal"
    return ""


def _served(client: ClientView, dialect: Dialect) -> bool:
    response = client.response
    return response is not None and response.status < 400 and not dialect.refuses(response)


def _refused(client: ClientView, dialect: Dialect) -> bool:
    response = client.response
    if response is None:
        return False
    return dialect.refuses(response) or (400 <= response.status < 500 and response.status != _TOO_MANY)
