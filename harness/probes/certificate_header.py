"""Where a server reads its client's certificate in a header: who sets it, what the client shows in the handshake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.model.case import GOOD, Case
from harness.model.catalogue import Flow
from harness.model.vocabulary import Path
from harness.stimuli.certificate_header import HEADER_FORMS

_FORGED = "header-forged"
_NO_CERTIFICATE = "tls-no-cert"

HEADERS: Mapping[str, str] = {
    **{name: form.summary for name, form in HEADER_FORMS.items()},
    _FORGED: "a client without the key sets the certificate header itself, with another client's public certificate",
    "header-passed-on": "a good request; the backend shows which headers it received",
}

BY_HOLDER = frozenset({"header-folded", "header-lower-case", "header-url-encoded", "header-passed-on"})
"""The classes that hand on the whole certificate of the client that is called; every other one is a stranger's."""


def handed_on(flow: Flow, path: Path, transport: str = GOOD) -> Flow:
    """*flow* as its client calls it over *path*: what ends TLS sets the header, so the client sets none unless it
    forges one."""
    sets_it = path is not Path.TERMINATING and not flow.server.certificate_in_handshake
    if not flow.server.certificate_header or sets_it or transport == _FORGED:
        return flow
    return replace(flow, server=replace(flow.server, certificate_header=""))


def in_handshake(case: Case) -> str:
    """The class of certificate that the client shows: who forges the header has a certificate, and not its key."""
    return _NO_CERTIFICATE if case.stimulus.transport == _FORGED else case.stimulus.certificate
