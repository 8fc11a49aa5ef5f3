"""The content view "Hopproof": verdict, JWT with each claim judged, chains, body.  For mitmproxy 11 and 12.

Everything it says of the token was written into the exchange when it was judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mitmproxy import contentviews
from mitmproxy.connection import Connection
from mitmproxy.http import HTTPFlow

from harness.decode.redaction import redact
from mitm_addons.inspection.marking import KEY

NAME = "Hopproof"
_BODY = 20_000


def described(flow: HTTPFlow, data: bytes) -> str:
    """What the view shows of *flow*, whose message has the body *data*: as it was judged, never judged again."""
    return "\n".join(_lines(flow, data))


def _lines(flow: HTTPFlow, data: bytes) -> Iterator[str]:
    mark = flow.metadata.get(KEY) or {}
    yield f"Verdict: {mark.get('verdict', 'not judged yet')} {mark.get('requirement', '')}"
    yield f"  {mark.get('reason', 'the exchange is not finished, or came without a mark')}"
    if mark.get("why"):
        yield f"  why it matters: {mark['why']}"
        yield f"  {mark['level']}: {mark['source']}"
    yield ""
    if mark.get("certificate"):
        yield from _certificate(mark["certificate"])
        yield ""
    yield from _token(mark.get("token"))
    for title, connection in (("Client's chain", flow.client_conn), ("Server's chain", flow.server_conn)):
        yield ""
        yield from _chain(title, connection)
    yield ""
    yield "Body"
    yield redact(data[:_BODY].decode("utf-8", "replace")) or "  empty"


def _certificate(seen: Mapping[str, str]) -> Iterator[str]:
    yield f"Certificate: {seen['stimulus']} - {seen['why']}"
    if seen["sha256"]:
        yield f"  subject {seen['subject']}"
        yield f"  issuer {seen['issuer']} (until {seen['until']})"
        yield f"  sha256 {seen['sha256']}"


def _token(seen: Mapping[str, Any] | None) -> Iterator[str]:
    if seen is None:
        yield "Token: not looked at"
        return
    yield f"Token: {seen['stimulus']} - {seen['why']}"
    if not seen["sha256"]:
        return
    yield f"  header {seen['header']}"
    yield f"  verified with key {seen['key']}" if seen["key"] else "  no key verified it"
    yield f"  sha256 of the whole token {seen['sha256']}; its signature is not shown"
    for name, value, holds, text in seen["claims"]:
        yield f"  {'ok ' if holds else 'BAD'} {name} = {value}  ({text})"


def _chain(title: str, connection: Connection) -> Iterator[str]:
    certificates = connection.certificate_list
    yield f"{title}:{'' if certificates else ' none'}"
    for depth, item in enumerate(certificates):
        subject = ",".join(f"{name}={value}" for name, value in item.subject)
        yield f"  {'  ' * depth}{subject} (until {item.notafter:%Y-%m-%d}, sha256 {item.fingerprint().hex()[:16]}...)"


def register() -> None:
    """Add the view to this mitmproxy."""
    api: Any = contentviews
    modern = getattr(api, "Contentview", None)
    if modern is not None:
        api.add(_modern(modern))
        return
    if known := api.get(NAME):  # the script was loaded again
        api.remove(known)
    api.add(_legacy(api.View))


def _modern(base: Any) -> Any:
    class HopproofContentview(base):  # type: ignore[misc]  # mitmproxy 12's base, unknown to 11
        name = NAME
        syntax_highlight = "none"

        def prettify(self, data: bytes, metadata: Any) -> str:
            """mitmproxy 12's call."""
            if not isinstance(metadata.flow, HTTPFlow):
                raise ValueError("an HTTP exchange is needed")
            return described(metadata.flow, data)

        def render_priority(self, data: bytes, metadata: Any) -> float:
            """First for what was marked; -1 would hide the view."""
            return 2 if isinstance(metadata.flow, HTTPFlow) and KEY in metadata.flow.metadata else -1

    return HopproofContentview()


def _legacy(base: Any) -> Any:
    class HopproofView(base):  # type: ignore[misc]  # mitmproxy 11's base, untyped
        name = NAME

        def __call__(self, data: bytes, *, flow: Any = None, **_more: Any) -> tuple[str, list[list[tuple[str, str]]]]:
            """mitmproxy 11's call."""
            if not isinstance(flow, HTTPFlow):
                return NAME, [[("text", "an HTTP exchange is needed")]]
            return NAME, [[("text", line)] for line in described(flow, data).split("\n")]

        def render_priority(self, data: bytes, *, flow: Any = None, **_more: Any) -> float:
            """First for what was marked."""
            return 2 if isinstance(flow, HTTPFlow) and KEY in flow.metadata else 0

    return HopproofView()
