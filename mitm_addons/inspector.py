"""Marks each exchange: satisfies, violates or not judged, with the requirement in its comment.  For labs and tests.

    mitmweb -s mitm_addons/inspector.py --set hopproof_session=SESSION.json --mode reverse:https://HOST:PORT

``hopproof inspect --save`` writes a session.  A recording needs none: ``mitmweb -s ... -r inspection.mitm``.

A saved file is shown as it was judged; loading it judges nothing again.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

if __name__.startswith("__mitmproxy_script__"):  # loaded by mitmproxy from a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mitmproxy import command, ctx, exceptions, flow, types
from mitmproxy.connection import Connection
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from harness.decode.redaction import redact
from harness.errors import HopproofError, UsageError
from mitm_addons import contexts
from mitm_addons.inspection import payload, session, view
from mitm_addons.inspection.credentials import WRONG_AUDIENCE
from mitm_addons.inspection.marking import BARE, KEY, NO_CERTIFICATE, NOT_JUDGED, VIOLATES, Mark, Marker
from mitm_addons.inspection.recording import Recorder

_OPTIONS = (
    ("hopproof_session", str, "", "The session to judge by: a file that hopproof inspect writes."),
    ("hopproof_rules", str, "", "Payload rules: a YAML file."),
    ("hopproof_record", str, "", "Folder for redacted recordings (.mitm, .har)."),
    ("hopproof_keep", int, 2000, "How many exchanges the view keeps."),
    ("hopproof_ready", int, -1, "Used by hopproof inspect: a file descriptor to write to when the proxy listens."),
)
_CHANGES = {"expired": "exp-past", "wrong-audience": WRONG_AUDIENCE, "no-token": "str-no-token",
            "wrong-key": "sig-wrong-key", "alg-none": "alg-none", "no-certificate": NO_CERTIFICATE}  # fmt: skip
_log = logging.getLogger(__name__)


class Inspector:
    """The addon.  Given a marker it needs no options (the headless process); else it reads them."""

    def __init__(self, marker: Marker | None = None, recorder: Recorder | None = None) -> None:
        self.marker, self.recorder = marker, recorder
        self.counts: dict[str, int] = {}
        self._own = marker is None
        self._kept: deque[flow.Flow] = deque()
        self._only_violations = False
        self._upstream: dict[bool, SSL.Context] = {}
        self._alerts: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()

    def load(self, loader: Any) -> None:
        """Options and the content view; called once by mitmproxy."""
        if self._own:
            for name, kind, default, text in _OPTIONS:
                loader.add_option(name, kind, default, text)
            view.register()

    def configure(self, updated: set[str]) -> None:
        """Read what the options name; mitmproxy tells the error and does not start."""
        if not self._own or not updated & {name for name, *_ in _OPTIONS}:
            return
        options = ctx.options
        try:
            if options.hopproof_session:
                rules = payload.load(Path(options.hopproof_rules)) if options.hopproof_rules else None
                self.marker = Marker(session.load(Path(options.hopproof_session)), rules)
                self._upstream = _upstream(self.marker.session)
            if options.hopproof_record and self.recorder is None:
                self.recorder = Recorder(Path(options.hopproof_record))
        except HopproofError as error:
            raise exceptions.OptionsError(str(error)) from error

    def running(self) -> None:
        """Signal the starting process that the proxy listens."""
        if self._own and ctx.options.hopproof_ready >= 0:
            os.write(ctx.options.hopproof_ready, b"ready")
            os.close(ctx.options.hopproof_ready)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Ask the server for the name it is to have, whatever name the client asked for."""
        if self._own and self.marker is not None:
            data.server.sni = self.marker.session.upstream["server_name"]

    def tls_start_server(self, data: TlsData) -> None:
        """Verify the server as the session says, and present the client's certificate where that is asked for."""
        if not self._upstream or self.marker is None:
            return
        bare, server = data.context.client.peername == BARE, data.conn

        def on_alert(connection: SSL.Connection, name: str) -> None:
            self._alerts[server] = name

        name = self.marker.session.upstream["server_name"]
        data.ssl_conn = contexts.upstream_connection(self._upstream[bare], name, send_sni=True, on_alert=on_alert)

    def response(self, flow: HTTPFlow) -> None:
        """An answered exchange."""
        self._finished(flow)

    def error(self, flow: HTTPFlow) -> None:
        """An exchange that came to nothing."""
        self._finished(flow)

    def done(self) -> None:
        """Complete the recordings."""
        if self.recorder is not None:
            self.recorder.close()
            self.recorder = None

    def _finished(self, flow: HTTPFlow) -> None:
        if KEY in flow.metadata or not flow.live:
            return  # from a file: it was judged when it happened, with the keys and the clock of that time
        try:
            mark = self._mark(flow)
        except Exception as error:  # fail closed: what could not be judged must not look satisfied
            _log.exception("an exchange could not be judged")
            mark = Mark(NOT_JUDGED, "", f"the inspector failed: {type(error).__name__}")
        mark.put(flow)
        self.counts[mark.verdict] = self.counts.get(mark.verdict, 0) + 1
        if self.recorder is not None:
            self.recorder.add(flow)
        self._bound(flow)

    def _mark(self, flow: HTTPFlow) -> Mark:
        if self.marker is None:
            return Mark(NOT_JUDGED, "", "no session is given (hopproof_session)")
        return self.marker.mark(flow, self._alerts.get(flow.server_conn, ""))

    def _bound(self, latest: flow.Flow) -> None:
        """Drop the oldest exchanges from the view, which would keep every one."""
        if not self._own:
            return
        self._kept.append(latest)
        shown: Any = ctx.master.addons.get("view")
        while len(self._kept) > ctx.options.hopproof_keep:
            oldest = self._kept.popleft()
            if shown is not None:
                shown.remove([oldest])

    @command.command("hopproof.explain")
    def explain(self, flows: Sequence[flow.Flow]) -> str:
        """What is said of an exchange, and why it matters."""
        lines = []
        for item in flows:
            mark = item.metadata.get(KEY, {})
            lines.append(f"{mark.get('verdict', 'not judged')} {mark.get('requirement', '')}: {mark.get('reason', '')}")
            if mark.get("why"):
                lines.append(f"{mark['requirement']} ({mark['level']}): {mark['text']}")
                lines.append(f"why it matters: {mark['why']}\nsource: {mark['source']}")
        text = "\n".join(lines)
        _log.warning(text)
        return text

    @command.command("hopproof.export")
    def export(self, flows: Sequence[flow.Flow], path: types.Path) -> None:
        """Write exchanges as cases that can be run again."""
        cases = []
        for item in flows:
            mark = item.metadata.get(KEY, {})
            request = item.request if isinstance(item, HTTPFlow) else None
            shown = redact(f"{request.method} {request.path}") if request else ""
            target = f"--target '{self.marker.session.target}' " if self.marker and self.marker.session.target else ""
            again = f"hopproof run {target}--only '{mark['case']}'" if mark.get("case") else ""
            cases.append({**mark, "request": shown, "replay": again})
        Path(path).write_text(json.dumps(cases, indent=1) + "\n", "utf-8")

    @command.command("hopproof.resend")
    def resend(self, flows: Sequence[flow.Flow], change: str) -> None:
        """Send exchanges again with one thing changed.

        expired, wrong-audience, no-token, wrong-key, alg-none, no-certificate.
        """
        if change not in _CHANGES or self.marker is None:
            raise exceptions.CommandError(f"change is one of {', '.join(_CHANGES)}, and a session is needed")
        alter = self._altered(_CHANGES[change])
        again = []
        for item in flows:
            if isinstance(item, HTTPFlow):
                copy = item.copy()
                copy.metadata.pop(KEY, None)
                alter(copy)
                again.append(copy)
        ctx.master.commands.call("replay.client", again)

    def _altered(self, name: str) -> Callable[[HTTPFlow], None]:
        if name == NO_CERTIFICATE:
            header = self.marker.certificate_header if self.marker else ""
            if header:
                return lambda copy: copy.request.headers.pop(header, None)
            if self.marker is None or not self.marker.session.as_client:
                raise exceptions.CommandError("no client certificate is presented anyway (use --as-client)")
            return _without_certificate
        token = self._variant(name)

        def alter(copy: HTTPFlow) -> None:
            copy.request.headers.pop("authorization", None)
            if token:
                copy.request.headers["authorization"] = f"Bearer {token}"

        return alter

    def _variant(self, name: str) -> str:
        if name == "str-no-token" or self.marker is None:
            return ""
        try:
            found: dict[str, str] = json.loads(Path(self.marker.session.variants).read_text("utf-8"))
            return found[name]
        except (OSError, ValueError, KeyError) as error:
            raise exceptions.CommandError(f"this session has no token of the class {name}") from error

    @command.command("hopproof.violations")
    def violations(self) -> None:
        """Show only violations, or everything again."""
        self._only_violations = not self._only_violations
        ctx.options.update(view_filter=f"~comment ^{VIOLATES}" if self._only_violations else "")


def _upstream(known: session.Session) -> dict[bool, SSL.Context]:
    """Contexts towards the server, the second without a client certificate; none where no CA is named."""
    ca = known.upstream.get("ca")
    if not ca:
        return {}
    try:
        own = known.client_certificate or None if known.as_client else None
        return {False: contexts.upstream(ca, own, verify=True), True: contexts.upstream(ca, None, verify=True)}
    except (SSL.Error, OSError, ValueError) as error:
        raise UsageError(f"the session's certificates cannot be used: {error!r}") from error


def _without_certificate(copy: HTTPFlow) -> None:
    copy.client_conn.peername = BARE


addons = [Inspector()]
