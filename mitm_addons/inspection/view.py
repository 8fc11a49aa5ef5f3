"""The content view "Flowproof": verdict, JWT with each claim judged, chains, body.  For mitmproxy 11 and 12."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from mitmproxy import contentviews
from mitmproxy.connection import Connection
from mitmproxy.http import HTTPFlow

from harness.decode.redaction import redact
from mitm_addons.inspection.marking import KEY, Marker

NAME = "Flowproof"
_BODY = 20_000


def told(marker: Marker | None, flow: HTTPFlow, data: bytes) -> str:
    """What the view shows of *flow*, whose message has the body *data*."""
    return "\n".join(_lines(marker, flow, data))


def _lines(marker: Marker | None, flow: HTTPFlow, data: bytes) -> Iterator[str]:
    mark = flow.metadata.get(KEY) or {}
    yield f"Verdict: {mark.get('verdict', 'not judged yet')} {mark.get('requirement', '')}"
    yield f"  {mark.get('reason', 'the exchange is not finished, or no session was given')}"
    yield ""
    yield from _token(marker, flow)
    for title, connection in (("Client's chain", flow.client_conn), ("Server's chain", flow.server_conn)):
        yield ""
        yield from _chain(title, connection)
    yield ""
    yield "Body"
    yield redact(data[:_BODY].decode("utf-8", "replace")) or "  empty"


def _token(marker: Marker | None, flow: HTTPFlow) -> Iterator[str]:
    if marker is None:
        yield "Token: no session says how to verify it"
        return
    found = marker.examiner.examine(flow.request.headers.get_all("authorization"))
    yield f"Token: {found.stimulus} - {found.why}"
    if found.token is None:
        return
    yield f"  header {json.dumps(found.token.header)}"
    yield f"  verified with key {found.key}" if found.key else "  no key verified it"
    yield f"  sha256 of the whole token {found.token.sha256}; its signature is not shown"
    for claim in found.claims:
        yield f"  {'ok ' if claim.holds else 'BAD'} {claim.name} = {json.dumps(claim.value)}  ({claim.text})"


def _chain(title: str, connection: Connection) -> Iterator[str]:
    certificates = connection.certificate_list
    yield f"{title}: {len(certificates)} certificates" if certificates else f"{title}: none"
    for depth, item in enumerate(certificates):
        subject = ",".join(f"{name}={value}" for name, value in item.subject)
        yield f"  {'  ' * depth}{subject} (until {item.notafter:%Y-%m-%d}, sha256 {item.fingerprint().hex()[:16]}...)"


def register(marker: Callable[[], Marker | None]) -> None:
    """Add the view to this mitmproxy; *marker* gives the session's marker, None while there is none."""
    api: Any = contentviews
    modern = getattr(api, "Contentview", None)
    if modern is not None:
        api.add(_modern(modern, marker))
        return
    if known := api.get(NAME):  # the script was loaded again
        api.remove(known)
    api.add(_legacy(api.View, marker))


def _modern(base: Any, marker: Callable[[], Marker | None]) -> Any:
    class FlowproofContentview(base):  # type: ignore[misc]  # mitmproxy 12's base, unknown to 11
        name = NAME
        syntax_highlight = "none"

        def prettify(self, data: bytes, metadata: Any) -> str:
            """mitmproxy 12's call."""
            if not isinstance(metadata.flow, HTTPFlow):
                raise ValueError("an HTTP exchange is needed")
            return told(marker(), metadata.flow, data)

        def render_priority(self, data: bytes, metadata: Any) -> float:
            """First for what was marked; -1 would hide the view."""
            return 2 if isinstance(metadata.flow, HTTPFlow) and KEY in metadata.flow.metadata else -1

    return FlowproofContentview()


def _legacy(base: Any, marker: Callable[[], Marker | None]) -> Any:
    class FlowproofView(base):  # type: ignore[misc]  # mitmproxy 11's base, untyped
        name = NAME

        def __call__(self, data: bytes, *, flow: Any = None, **_more: Any) -> tuple[str, list[list[tuple[str, str]]]]:
            """mitmproxy 11's call."""
            if not isinstance(flow, HTTPFlow):
                return NAME, [[("text", "an HTTP exchange is needed")]]
            return NAME, [[("text", line)] for line in told(marker(), flow, data).split("\n")]

        def render_priority(self, data: bytes, *, flow: Any = None, **_more: Any) -> float:
            """First for what was marked."""
            return 2 if isinstance(flow, HTTPFlow) and KEY in flow.metadata else 0

    return FlowproofView()
