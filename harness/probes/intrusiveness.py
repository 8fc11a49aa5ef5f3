"""What a case does to the server it is sent to: nothing lasting, a write, or stress."""

from __future__ import annotations

from enum import StrEnum

from harness.model.case import GOOD, Case

# Long, deep or huge on purpose; a parser may take its time over them.
_STRESS = frozenset({"str-many-dots", "json-deep-nest", "json-bigint"})

# Another method than the flow's: a server that obeys it may write.
_WRITES = frozenset({"method-post", "method-write", "method-unknown", "method-override"})

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Intrusiveness(StrEnum):
    """From the lightest to the heaviest."""

    HANDSHAKE = "handshake"
    REQUEST = "harmless request"
    WRITE = "write"
    STRESS = "stress"


def intrusiveness(case: Case) -> Intrusiveness:
    """What *case* touches.  A bad credential with a writing request counts as a write: a broken server obeys."""
    stimulus = case.stimulus
    if {stimulus.token, stimulus.certificate, stimulus.transport} & _STRESS:
        return Intrusiveness.STRESS
    if case.reads_files or stimulus.transport == "compared":  # nothing is asked for: two handshakes
        return Intrusiveness.HANDSHAKE
    if not is_safe(case.flow.method) or stimulus.transport in _WRITES:
        return Intrusiveness.WRITE
    refused_in_tls = case.expected == "certificate-refused" and stimulus.certificate != GOOD
    return Intrusiveness.HANDSHAKE if refused_in_tls else Intrusiveness.REQUEST


def is_safe(method: str) -> bool:
    """Whether a request with *method* changes nothing (RFC 9110 section 9.2.1)."""
    return method in _SAFE
