"""What a case does to the server it is sent to: nothing lasting, a write, or stress."""

from __future__ import annotations

from harness.model.case import GOOD, Case
from harness.probes.transports import TRANSPORTS
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.registry import Intrusiveness
from harness.stimuli.tokens import TOKEN_CLASSES

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def intrusiveness(case: Case) -> Intrusiveness:
    """What *case* touches.  A bad credential with a writing request counts as a write: a broken server obeys."""
    stimulus = case.stimulus
    transport = TRANSPORTS[stimulus.transport].intrusive
    credentials = CERTIFICATE_CLASSES[stimulus.certificate].intrusive, TOKEN_CLASSES[stimulus.token].intrusive
    if Intrusiveness.STRESS in (transport, *credentials):
        return Intrusiveness.STRESS
    if transport is Intrusiveness.HANDSHAKE:
        return Intrusiveness.HANDSHAKE
    if not is_safe(case.flow.method) or transport is Intrusiveness.WRITE:
        return Intrusiveness.WRITE
    refused_in_tls = case.expected == "certificate-refused" and stimulus.certificate != GOOD
    return Intrusiveness.HANDSHAKE if refused_in_tls else Intrusiveness.REQUEST


def is_safe(method: str) -> bool:
    """Whether a request with *method* changes nothing (RFC 9110 section 9.2.1)."""
    return method in _SAFE
