"""An inspection session in a process of its own: headless on the slim master, or mitmproxy's web or console interface.

    python -m mitm_addons.inspection SESSION [--ui none|web|console] [--port N] [--rules FILE] [--record DIR]

Headless it tells its port and every violation as JSON lines, and ends with stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from mitmproxy.http import HTTPFlow

from harness.errors import HopproofError
from harness.model.inspection import Line, Violation
from harness.model.protocol import LOOPBACK, Behaviours, Listener
from mitm_addons import inspector
from mitm_addons.inspection import payload, session
from mitm_addons.inspection.marking import KEY, VIOLATES, Marker
from mitm_addons.inspection.recording import Recorder
from mitm_addons.server import Balancer


class _Teller:
    """Writes a line for each violation, and has the balancer forget the exchange."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer

    def response(self, flow: HTTPFlow) -> None:
        self._tell(flow)

    def error(self, flow: HTTPFlow) -> None:
        self._tell(flow)

    def _tell(self, flow: HTTPFlow) -> None:
        self._balancer.forget(flow.client_conn.id, flow.id)
        mark = flow.metadata.get(KEY, {})
        if mark.get("verdict") == VIOLATES:
            request = f"{flow.request.method} {flow.request.path.partition('?')[0]}"
            found: Violation = {
                "kind": "violation",
                "requirement": mark["requirement"],
                "request": request,
                "reason": mark["reason"],
            }
            _say(found)


class _Started:
    """Says when the master runs."""

    def __init__(self, started: asyncio.Event) -> None:
        self._started = started

    def running(self) -> None:
        self._started.set()


def _say(message: Line) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def _headless(marker: Marker, recorder: Recorder | None, port: int) -> None:
    judged = inspector.Inspector(marker, recorder)
    balancer = Balancer(lambda _view: None)
    ended, started = asyncio.Event(), asyncio.Event()
    balancer.add(judged, _Teller(balancer), _Started(started))
    running = asyncio.create_task(balancer.master.run())
    await asyncio.wait({running, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    threading.Thread(target=_until_end, args=(loop, ended), daemon=True).start()
    ports = await balancer.listen([_listener(marker.session)])
    if port:
        await balancer.share("inspect", port)
    _say({"kind": "ready", "host": LOOPBACK, "port": port or ports["inspect"]["port"]})
    await ended.wait()
    await balancer.close(["inspect"])
    _say({"kind": "ended", "counts": judged.counts})
    balancer.master.shutdown()
    await running


def _listener(known: session.Session) -> Listener:
    return Listener(
        id="inspect",
        mode="terminating",
        upstream_host=known.upstream["host"],
        upstream_port=known.upstream["port"],
        server_name=known.upstream["server_name"],
        certificate=known.certificate,
        upstream_ca=known.upstream["ca"],
        behaviours=Behaviours(client_certificate=known.client_certificate) if known.as_client else Behaviours(),
    )


def _until_end(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    # Past Python's buffer: its lock, held by a thread that waits, would be a fatal error when the process ends.
    while os.read(0, 65536):
        continue
    loop.call_soon_threadsafe(ended.set)


def _end_with(lifeline: int) -> None:
    """End this process, in order, when the harness that holds the other end of *lifeline* is gone."""
    if lifeline >= 0:
        while os.read(lifeline, 65536):
            continue
        os.kill(os.getpid(), signal.SIGTERM)


def _interface(options: argparse.Namespace, known: session.Session) -> None:
    from mitmproxy.tools import main as tools  # brings the whole interface with it

    upstream = known.upstream
    settings = [f"hopproof_session={options.session}", f"certs=*={known.certificate}", "connection_strategy=lazy"]
    settings += ["http2=false", "keep_host_header=true", f"hopproof_ready={options.ready}"]
    settings += [f"hopproof_rules={options.rules}"] if options.rules else []
    settings += [f"hopproof_record={options.record}"] if options.record else []
    if options.ui == "web":
        settings += [f"web_host={LOOPBACK}", "web_open_browser=false"]
        settings += [f"web_columns={name}" for name in ("tls", "path", "method", "status", "comment")]
        settings += [f"web_port={options.web_port}"] if options.web_port else []
    mode = f"reverse:https://{upstream['host']}:{upstream['port']}@{LOOPBACK}:{options.port}"
    arguments = ["-s", str(Path(inspector.__file__).resolve()), "--mode", mode]
    arguments += [part for setting in settings for part in ("--set", setting)]
    (tools.mitmweb if options.ui == "web" else tools.mitmproxy)(arguments)


def main() -> int:
    """Run until stdin ends (headless) or the interface is left."""
    parser = argparse.ArgumentParser(prog="python -m mitm_addons.inspection")
    parser.add_argument("session", type=Path)
    parser.add_argument("--ui", choices=["none", "web", "console"], default="none")
    parser.add_argument("--port", type=int, default=0, help="headless: one to share with others (0 = one of its own)")
    parser.add_argument("--ready", type=int, default=-1)
    parser.add_argument("--lifeline", type=int, default=-1, help="an interface: a pipe that ends with the harness")
    parser.add_argument("--web-port", type=int, default=0)
    parser.add_argument("--rules", type=Path)
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    try:
        known = session.load(options.session)
        if options.ui != "none":
            threading.Thread(target=_end_with, args=(options.lifeline,), daemon=True).start()
            _interface(options, known)
            return 0
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
        logging.getLogger("mitmproxy.proxy.server").setLevel(logging.ERROR)
        recorder = Recorder(options.record) if options.record else None
        rules = payload.load(options.rules) if options.rules else None
        asyncio.run(_headless(Marker(known, rules, detailed=recorder is not None), recorder, options.port))
    except HopproofError as error:
        sys.stderr.write(f"inspection: {error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
