"""How a subsystem says no: a reason for the log, a status and a challenge for the client.  Decides nothing itself."""

from __future__ import annotations

from harness.model.vocabulary import Reason

UNAUTHORIZED, FORBIDDEN, BAD_REQUEST, NOT_FOUND, TOO_LARGE = 401, 403, 400, 404, 413

_OTHER_STATUS = {
    Reason.SUBJECT_MISMATCH: FORBIDDEN,
    Reason.BAD_REQUEST: BAD_REQUEST,
    Reason.NOT_FOUND: NOT_FOUND,
}


class Rejected(Exception):
    """A request turned away for *reason*; *detail* is for the log and never holds a token."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def about_token(reason: Reason) -> bool:
    """Whether *reason* is about the token (or the keys that verify it)."""
    return reason not in _OTHER_STATUS


def documented_status(reason: Reason) -> int:
    """The HTTP status of a rejection: 401 for everything about the token, keys that cannot be had included."""
    return _OTHER_STATUS.get(reason, UNAUTHORIZED)


def challenge(reason: Reason, realm: str) -> str:
    """The WWW-Authenticate value (RFC 6750 section 3): no error code where no token was given."""
    if reason is Reason.TOKEN_MISSING:
        return f'Bearer realm="{realm}"'
    return f'Bearer realm="{realm}", error="{"invalid_request" if reason is Reason.BAD_REQUEST else "invalid_token"}"'
