"""What is inspected: one flow to one server, of our own lab or of a target file, with the credentials at hand."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.catalogue import Catalogue
from harness.catalogue.registry import FAULTS, catalogue
from harness.commands.inspect.options import InspectOptions
from harness.errors import UsageError
from harness.lab import Entrypoint
from harness.model.case import Setup, Stimulus
from harness.model.catalogue import Flow
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.pki.interception import front
from harness.pki.private_files import private_file
from harness.pki.temporary import new_home
from harness.probes.certificate_header import handed_on
from harness.probes.intrusiveness import is_safe
from harness.probes.live import Bench
from harness.targets.builtin import EMBEDDED, Target
from harness.targets.deployment import Deployment


@dataclass(frozen=True)
class Subject:
    """A flow and the server where it ends.  ``folder`` is private and goes with the session.

    ``file`` is the target file, None for our own lab.  ``posture`` is what the server does, a default resolved.
    """

    target: Target
    catalogue: Catalogue
    flow: Flow
    entrypoint: Entrypoint
    bench: Bench
    folder: Path
    file: Path | None = None

    @property
    def posture(self) -> Posture:
        """How the server authenticates its clients."""
        return effective(self.flow, self.entrypoint.setup.posture)

    @property
    def sent(self) -> Flow:
        """The flow as its client calls it: without a certificate header where a proxy behind the inspector sets it."""
        return handed_on(self.flow, self.entrypoint.setup.path)

    @property
    def client_ca(self) -> Path:
        """The CA file with which a client verifies the inspector."""
        return self.folder / "inspection-ca.crt"

    def front(self) -> Path:
        """The inspector's own certificate and key for the server's name; its CA's key is kept nowhere."""
        authority, leaf = front(self.entrypoint.address.server_name)
        private_file(self.client_ca, authority.pem())
        return private_file(self.folder / "front.pem", leaf.key_pem() + leaf.pem())

    def token(self, name: str, role: str) -> str:
        """A token of the class *name*, '' where none is sent.  Raises StimulusUnavailable."""
        prepared = self.bench.stimuli.request(self.sent, Stimulus(token=name), "inspector", self.bench.nonce(role))
        value = (prepared.authorization or b"").decode("latin-1")
        return value.removeprefix("Bearer ")

    def close(self) -> None:
        """Take the lab down, and remove the private files."""
        self.bench.lab.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def effective(flow: Flow, posture: Posture) -> Posture:
    """What *flow*'s server does in *posture*: its default where nothing is set."""
    return flow.server.default if posture is Posture.DEFAULT else posture


def open_subject(wanted: InspectOptions) -> Subject:
    """Bring up, or look at, what *wanted* names; raises :class:`UsageError` and LabError."""
    if wanted.target == EMBEDDED.name:
        return _embedded(wanted)
    if not wanted.target.endswith((".yaml", ".yml")):
        raise UsageError(f"cannot inspect the target {wanted.target!r}", hint="embedded, or a target file (*.yaml)")
    return _given(wanted)


def _embedded(wanted: InspectOptions) -> Subject:
    if wanted.fault and wanted.fault not in FAULTS:
        raise UsageError(f"unknown fault {wanted.fault!r}", hint="see hopproof list faults")
    known = catalogue()
    flow = _flow(known, wanted.flow)
    try:
        posture = Posture(wanted.posture or Posture.JWT)
    except ValueError as error:
        raise UsageError(f"no posture {wanted.posture!r}", hint=f"one of: {', '.join(Posture)}") from error
    if posture is not Posture.DEFAULT and posture not in flow.server.postures:
        raise UsageError(f"{flow.name} has no posture {posture}")
    return _opened(EMBEDDED, known, flow, Setup(flow.server.name, posture, FlowPath.DIRECT, wanted.fault), None)


def _given(wanted: InspectOptions) -> Subject:
    for option, value in (("--fault", wanted.fault), ("--posture", wanted.posture)):
        if value:
            raise UsageError(f"{option} is for the reference servers only", hint="leave out --target, or this option")
    deployment = Deployment.load(Path(wanted.target))
    if deployment.file.environment == "production":
        raise UsageError("hopproof inspect reads every payload: use it in labs and tests, not in production")
    target = deployment.target()
    known = target.adapt(catalogue())
    flow = _flow(known, wanted.flow)
    if wanted.exercise and deployment.file.read_only and not is_safe(flow.method):
        raise UsageError(f"read-only, but --exercise would send {flow.method} requests")
    endpoint = deployment.file.endpoints[flow.server.name]
    return _opened(target, known, flow, Setup(endpoint.name, endpoint.posture, endpoint.path), Path(wanted.target))


def _flow(known: Catalogue, name: str | None) -> Flow:
    requested = name or next(iter(known.flows))
    if requested not in known.flows:
        raise UsageError(f"no flow {requested!r}", hint=f"one of: {', '.join(known.flows)}")
    return known.flows[requested]


def _opened(target: Target, known: Catalogue, flow: Flow, setup: Setup, file: Path | None) -> Subject:
    bench = target.bench(known, 1)
    try:
        entrypoint = bench.lab.open([setup])[setup]
        if not isinstance(entrypoint, Entrypoint):
            raise UsageError(f"the server refuses to start in this posture: {entrypoint.message}")
        return Subject(target, known, flow, entrypoint, bench, new_home(), file)
    except BaseException:
        bench.lab.close()
        raise
