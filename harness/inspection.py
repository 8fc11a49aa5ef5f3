"""An inspection session: a lab with one server, what the inspector has to know of it, and the inspector's process.

The inspector knows neither catalogue files nor keys that sign: it gets a session file made here.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from harness.catalogue import Catalogue, expand
from harness.errors import FlowproofError, LabError, UsageError
from harness.exchanges import Bench
from harness.known import FAULTS, catalogue
from harness.lab import Door
from harness.lab.embedded import EmbeddedLab
from harness.model.case import GOOD, Case, Setup, Stimulus
from harness.model.catalogue import Flow
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.targets import EMBEDDED
from harness.wire.files import private_file
from harness.wire.send import Address, send
from harness.wire.tokens import TOKEN_CLASSES

Tell = Callable[[str], None]
START_SECONDS = 20.0
ISSUER = "IBM API Connect"
_EXERCISE = (GOOD, "str-no-token", "sig-wrong-key", "exp-past", "alg-none", GOOD)
_VARIANTS = ("exp-past", "sig-wrong-key", "alg-none")


@dataclass(frozen=True)
class Wanted:
    """What ``flowproof inspect`` is asked for."""

    flow: str | None = None
    target: str = "embedded"
    posture: str = "jwt"
    fault: str = ""
    ui: str = "none"
    port: int = 8443
    web_port: int = 8081
    rules: Path | None = None
    record: Path | None = None
    save: Path | None = None
    exercise: bool = False


def inspect(wanted: Wanted, tell: Tell) -> int:
    """Run a session until stdin ends or Ctrl-C; raises :class:`FlowproofError`."""
    known = catalogue()
    flow = _flow(known, wanted)
    bench = EMBEDDED.bench(known, 1)
    lab = bench.lab
    assert isinstance(lab, EmbeddedLab)
    try:
        setup = Setup(flow.server.name, Posture(wanted.posture), FlowPath.DIRECT, wanted.fault)
        door = lab.open([setup])[setup]
        if not isinstance(door, Door):
            raise UsageError(f"the server refuses to start in this posture: {door.message}")
        file = private_file(lab.folder / "session.json", json.dumps(_session(known, flow, door, bench)).encode())
        if wanted.save is not None:
            private_file(wanted.save, file.read_bytes())
            tell(f"{wanted.save}: point flowproof's servers' files in it at your own; it holds no keys")
            return 0
        return _run(wanted, file, _Driver(bench, flow, door), tell)
    finally:
        lab.close()


def _flow(known: Catalogue, wanted: Wanted) -> Flow:
    if wanted.target != EMBEDDED.name:
        raise UsageError(
            f"cannot bring up {wanted.target!r} for an inspection",
            attempt="flowproof inspect --save FILE, then mitmweb -s mitm_addons/inspector.py before your own server",
        )
    if wanted.fault and wanted.fault not in FAULTS:
        raise UsageError(f"unknown fault {wanted.fault!r}", attempt="see flowproof list faults")
    name = wanted.flow or next(iter(known.flows))
    if name not in known.flows:
        raise UsageError(f"no flow {name!r}", attempt=f"one of: {', '.join(known.flows)}")
    try:
        posture = Posture(wanted.posture)
    except ValueError as error:
        raise UsageError(f"no posture {wanted.posture!r}", attempt=f"one of: {', '.join(Posture)}") from error
    if posture is not Posture.DEFAULT and posture not in known.flows[name].server.postures:
        raise UsageError(f"{name} has no posture {posture}")
    return known.flows[name]


def _session(known: Catalogue, flow: Flow, door: Door, bench: Bench) -> dict[str, Any]:
    lab = bench.lab
    assert isinstance(lab, EmbeddedLab)
    variants = {name: _bearer(bench, flow, name) for name in _VARIANTS}
    return {
        "flow": asdict(flow),
        "posture": str(door.setup.posture),
        "upstream": {"host": door.address.host, "port": door.address.port, "server_name": door.address.server_name,
                     "ca": str(door.ca)},
        "certificate": str(lab.secrets / f"front-{flow.server.secret}" / "tls-combined.pem"),
        "token": {"jwks": str(lab.secrets.parent / "jwt" / "jwks.json"), "algorithms": ["RS256"],
                  "issuer": flow.server.issuer or ISSUER},
        "expected": expected(known, flow, door.setup.posture),
        "classes": {name: sorted(map(str, row.because)) for name, row in known.classes.items() if row.kind == "token"},
        "variants": str(private_file(lab.folder / "variants.json", json.dumps(variants).encode())),
    }  # fmt: skip


def _bearer(bench: Bench, flow: Flow, name: str) -> str:
    prepared = bench.stimuli.request(flow, Stimulus(token=name), "inspector", "variant")
    value = (prepared.authorization or b"").decode("latin-1")
    return value.removeprefix("Bearer ")


def expected(known: Catalogue, flow: Flow, posture: Posture) -> dict[str, Any]:
    """What the catalogue wants of *flow* behind something that terminates TLS, by class of token.

    Under mTLS nothing may get through such a place, whatever the token; else what holds directly holds here too.
    """
    found: dict[str, Any] = {}
    cases = [case for case in expand(known, known.features)[0] if _matches(case, flow, posture)]
    for case in sorted(cases, key=lambda case: case.path is not FlowPath.TERMINATING):
        found.setdefault(case.stimulus.token, _told(case))
    broken = next((item for item in found.values() if item["check"] == "flow-broken"), None)
    if broken is not None:
        return dict.fromkeys([GOOD, *TOKEN_CLASSES], broken)
    return found


def _matches(case: Case, flow: Flow, posture: Posture) -> bool:
    plain = case.stimulus.certificate == GOOD and case.stimulus.transport == GOOD and "steps" not in case.params
    wanted = case.expected in ("served", "token-refused", "flow-broken") and not case.params.get("variant")
    return case.flow is flow and case.posture is posture and plain and wanted


def _told(case: Case) -> dict[str, Any]:
    row = case.requirement
    requirement = {
        "id": row.id, "area": row.area, "text": row.text, "why": row.why, "level": str(row.level),
        "source": [row.source.title, row.source.section], "basis": str(row.basis),
    }  # fmt: skip
    return {"check": case.expected, "requirement": requirement, "case": case.id,
            "statuses": list(case.params.get("statuses", ()))}  # fmt: skip


@dataclass(frozen=True)
class _Driver:
    """Sends the flow's own request, good and bad, through the inspector."""

    bench: Bench
    flow: Flow
    door: Door

    def send(self, port: int, tell: Tell) -> None:
        """One request of each kind."""
        address = replace(self.door.address, port=port)
        for number, token in enumerate(_EXERCISE):
            status = self._one(address, token, f"inspect-{number}")
            tell(f"  sent {token}: answered {status}")

    def _one(self, address: Address, token: str, nonce: str) -> int | str:
        stimuli = self.bench.stimuli
        host = f"{address.server_name}:{address.port}"
        context = stimuli.context(self.door.ca, self.flow.client_secret, GOOD)
        view = send(address, stimuli.request(self.flow, Stimulus(token=token), host, nonce), context)
        return view.response.status if view.response else view.alert or view.fault or view.server_refused or "nothing"


def _run(wanted: Wanted, session: Path, driver: _Driver, tell: Tell) -> int:
    command = [
        sys.executable,
        "-m",
        "mitm_addons.inspection",
        str(session),
        "--ui",
        wanted.ui,
        "--port",
        str(wanted.port),
    ]
    command += ["--rules", str(wanted.rules)] if wanted.rules else []
    command += ["--record", str(wanted.record)] if wanted.record else []
    if wanted.ui != "none":
        tell(f"listening on https://127.0.0.1:{wanted.port}; the certificate is of {driver.flow.server.host}")
        return _interface(wanted, command, driver, tell)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None and process.stdin is not None
    try:
        port = _ready(process.stdout)
        tell(f"inspecting {driver.flow.name} ({wanted.posture}) on https://127.0.0.1:{port}; the end of stdin ends it")
        tell(_curl(driver, port))
        reader = threading.Thread(target=_follow, args=(process.stdout, tell), daemon=True)
        reader.start()
        if wanted.exercise:
            driver.send(port, tell)
        _wait()
        process.stdin.close()
        status = process.wait(30)
        reader.join(5)
        return 0 if status == 0 else 3
    except subprocess.TimeoutExpired as error:
        raise LabError("the inspector does not end") from error
    finally:
        process.kill()
        process.wait()


def _interface(wanted: Wanted, command: list[str], driver: _Driver, tell: Tell) -> int:
    """Run mitmproxy's own interface in the foreground until it is left."""
    process = subprocess.Popen([*command, "--web-port", str(wanted.web_port)])  # noqa: S603 - our own module
    try:
        if wanted.exercise:
            _await_port(wanted.port, process)
            driver.send(wanted.port, tell if wanted.ui == "web" else lambda _line: None)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        process.terminate()
        process.wait()


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise LabError("the inspector's interface did not start", attempt="another --port, and another --web-port")


def _ready(lines: IO[str]) -> int:
    for line in lines:
        message = _message(line)
        if message.get("kind") == "ready":
            return int(message["port"])
    raise FlowproofError("the inspector did not start", attempt="what it said stands above")


def _follow(lines: IO[str], tell: Tell) -> None:
    for line in lines:
        message = _message(line)
        if message.get("kind") == "violation":
            tell(f"  violates {message['requirement']}: {message['request']}: {message['reason']}")
        elif message.get("kind") == "ended":
            counts = ", ".join(f"{number} {name}" for name, number in sorted(message["counts"].items()))
            tell(f"inspected: {counts or 'nothing'}")


def _message(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _wait() -> None:
    try:
        for _ in sys.stdin:
            continue
    except KeyboardInterrupt:
        return


def _curl(driver: _Driver, port: int) -> str:
    host, flow = driver.flow.server.host, driver.flow
    return (
        f"  try: curl --cacert {driver.door.ca} --resolve {host}:{port}:127.0.0.1 "
        f"-X {flow.method} https://{host}:{port}{flow.path.replace('{nonce}', 'by-hand')}"
    )
