"""``hopproof inspect``: opens the subject, writes its session, runs the inspector until it is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.commands.inspect import session
from harness.commands.inspect.options import InspectOptions
from harness.commands.inspect.processes import headless, interface
from harness.commands.inspect.subject import Subject, open_subject
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.model.case import Stimulus
from harness.model.inspection import SessionForm
from harness.model.vocabulary import Posture
from harness.pki.private_files import private_file
from harness.stimuli.contexts import trusting
from harness.stimuli.partial import StimulusUnavailable

Tell = Callable[[str], None]
_TOKENS = ("str-no-token", "sig-wrong-key", "exp-past", "alg-none")
_CERTIFICATES = ("tls-no-cert", "ta-unknown-ca")


def inspect(wanted: InspectOptions, tell: Tell) -> int:
    """Run a session until stdin ends or Ctrl-C; raises :class:`HopproofError`."""
    subject = open_subject(wanted)
    try:
        message = session.session(subject, as_client=wanted.as_client)
        if wanted.save is not None:
            return _save(wanted.save, message, tell)
        private = session.secrets(subject, as_client=wanted.as_client)
        file = private_file(subject.folder / "session.json", json.dumps({**message, **private}).encode())
        driver = Driver(subject)
        if wanted.record is not None:
            _keep(wanted.record, message)
        _warn(subject, wanted, tell)
        exercise = driver.send if wanted.exercise else None
        if wanted.ui == "none":
            return headless(wanted, file, lambda port: _about(driver, port), exercise, tell)
        tell(f"listening on https://127.0.0.1:{wanted.port}; trust {subject.client_ca}")
        return interface(wanted, file, exercise, lambda: session.renew(subject), tell)
    finally:
        subject.close()


def _save(file: Path, session: SessionForm, tell: Tell) -> int:
    upstream = session["upstream"]
    _write(file, session)
    tell(f"{file}contains no key and no token.  To use it, here or elsewhere:")
    tell(
        f"  mitmweb -s mitm_addons/inspector.py --set hopproof_session={file} "
        f"--mode reverse:https://{upstream['host']}:{upstream['port']} --set keep_host_header=true --set http2=false"
    )
    return 0


def _keep(folder: Path, session: SessionForm) -> None:
    """The session beside the recordings, which can then be looked at wherever they are taken."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the recording cannot be written: {error.strerror}", where=str(folder)) from error
    _write(folder / "session.json", session)


def _write(file: Path, session: SessionForm) -> None:
    try:
        private_file(file, json.dumps(session, indent=1).encode())
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(file), hint="choose another file") from error


def _warn(subject: Subject, wanted: InspectOptions, tell: Tell) -> None:
    if subject.file and not wanted.as_client and subject.posture in (Posture.MTLS, Posture.BOTH):
        tell("the server requests a client certificate and none is presented; --as-client presents the target file's")


def _about(driver: Driver, port: int) -> list[str]:
    flow, subject = driver.subject.flow, driver.subject
    host = subject.entrypoint.address.server_name
    return [
        f"inspecting {flow.name} ({subject.posture}) on https://127.0.0.1:{port}; close stdin to stop",
        f"  try: curl --cacert {subject.client_ca} --connect-to {host}:{port}:127.0.0.1:{port} "
        f"-X {flow.method} https://{host}:{port}{flow.path.replace('{nonce}', 'by-hand')}",
    ]


@dataclass(frozen=True)
class Driver:
    """Sends the flow's own request, good and bad, through the inspector."""

    subject: Subject

    def send(self, port: int, tell: Tell) -> None:
        """One request of each kind."""
        bad = [Stimulus(token=name) for name in _TOKENS]
        if self.subject.sent.server.certificate_header:
            bad += [Stimulus(certificate=name) for name in _CERTIFICATES]
        for number, stimulus in enumerate((Stimulus(), *bad, Stimulus())):
            tell(f"  sent {stimulus.id}: {self.one(port, stimulus, f'inspect-{number}')}")

    def one(self, port: int, stimulus: Stimulus, nonce: str) -> str:
        """What became of one request with *stimulus*, in words."""
        subject = self.subject
        address = replace(subject.entrypoint.address, host="127.0.0.1", port=port)
        context = trusting(subject.client_ca)
        try:
            prepared = subject.bench.stimuli.request(subject.sent, stimulus, subject.entrypoint.host_header, nonce)
        except StimulusUnavailable as missing:
            return f"not sent, {missing}"
        view = subject.bench.send(address, prepared, context)
        if view.response is not None:
            return f"answered {view.response.status}"
        return f"answered {view.alert or view.fault or view.server_refused or 'nothing'}"


def add(verbs: Verbs) -> None:
    """Add ``inspect``."""
    look = verb(verbs, "inspect", _inspect, "inspect live traffic: judge every exchange as it passes")
    look.add_argument("--flow", help="the flow to inspect (default: the first)")
    look.add_argument(
        "--target", default="embedded", help="embedded (default), or a target file, whose server is the upstream"
    )
    look.add_argument("--posture", default="", help="the posture of the embedded server (default jwt)")
    look.add_argument("--fault", default="", metavar="NAME", help="inject a known fault into the embedded server")
    look.add_argument(
        "--ui",
        choices=["web", "console", "none"],
        default="none",
        help="user interface (default none: violations as lines)",
    )
    look.add_argument(
        "--port",
        type=int,
        default=8443,
        help="the port that clients connect to with --ui web or console (default 8443)",
    )
    look.add_argument("--web-port", type=int, default=8081, help="the port of mitmweb's user interface (default 8081)")
    look.add_argument("--rules", type=Path, metavar="FILE", help="payload rules (YAML)")
    look.add_argument("--record", type=Path, metavar="DIR", help="keep redacted .mitm and HAR recordings there")
    look.add_argument(
        "--save", type=Path, metavar="FILE", help="write the session for mitmweb -s inspector.py, and exit"
    )
    look.add_argument("--as-client", action="store_true", help="present the client's own certificate to the server")
    look.add_argument("--exercise", action="store_true", help="send sample good and bad requests through the inspector")


def _inspect(arguments: Arguments) -> int:
    requested = InspectOptions(**{name: value for name, value in vars(arguments).items() if name != "verb"})
    return inspect(requested, lambda line: print(line, flush=True))  # noqa: T201
