"""Brings the reference topology up for people: addresses, files, curl lines that work when pasted.  Judges nothing."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path as FilePath

from harness.catalogue import Catalogue
from harness.catalogue.combinations import modes_in_words
from harness.catalogue.registry import catalogue as read_catalogue
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.lab import ConfigurationRefused, Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.vocabulary import Path, Posture
from harness.pki.private_files import private_file
from harness.stimuli.certificate_header import header_field
from harness.stimuli.tokens import HeldTokenIssuer
from harness.targets import builtin

# A token lives for a quarter of an hour; the file is renewed long before.
RENEWAL_SECONDS = 300.0


def serve(
    catalogue: Catalogue, lab: ReferenceLab, flow: str, tell: Callable[[str], None], end: threading.Event
) -> None:
    """Serve *flow* ('' = every flow of which the harness can be the client) until *end* is set.

    Raises :class:`UsageError` for an unknown flow.
    """
    if flow and flow not in catalogue.flows:
        raise UsageError(f"unknown flow {flow!r}", hint="see hopproof list flows")
    flows = [catalogue.flows[flow]] if flow else list(catalogue.flows.values())
    setups = [
        Setup(item.server.name, posture, path)
        for item in flows
        for posture in item.server.postures
        if posture is not Posture.TLS_ONLY
        for path in Path
    ]
    entrypoints = lab.open(setups)
    _write_tokens(lab, flows)
    tell(f"files (private, gone when this ends): {lab.folder}")
    for item in flows:
        for line in _lines(lab, item, entrypoints, _header(lab.folder, item.server)):
            tell(line)
    tell("\nPress Ctrl-C to stop.")
    while not end.wait(RENEWAL_SECONDS):
        _write_tokens(lab, flows)


def _header(folder: FilePath, server: Server) -> FilePath:
    """Where the header line is that *server* takes."""
    return folder / ".".join(filter(None, ("authorization", server.audience, "header")))


def _write_tokens(lab: ReferenceLab, flows: Iterable[Flow]) -> None:
    usual, issuers = HeldTokenIssuer.of(lab.pki, lab.now), HeldTokenIssuer.others(lab.pki, lab.now)
    for server in {flow.server.name: flow.server for flow in flows}.values():
        token = issuers.get(server.keys_from, usual).naming(server.issuer, server.audience).token()
        private_file(_header(lab.folder, server), f"Authorization: Bearer {token}\n".encode())


def _lines(
    lab: ReferenceLab, flow: Flow, entrypoints: Mapping[Setup, Entrypoint | ConfigurationRefused], header: FilePath
) -> Iterator[str]:
    yield f"\n{flow.name}: {flow.server.endpoint}"
    for posture in flow.server.postures:
        if posture is Posture.TLS_ONLY:
            continue
        for path in Path:
            entrypoint = entrypoints[Setup(flow.server.name, posture, path)]
            if isinstance(entrypoint, Entrypoint):
                how = modes_in_words(flow) or posture
                yield f"  {how}, {path}: {entrypoint.address.host}:{entrypoint.address.port}"
                yield f"    {' '.join(curl(lab, flow, posture, path, entrypoint, header))}"


def _certificate_header(lab: ReferenceLab, flow: Flow) -> FilePath:
    """The header line with the client's certificate, which a balancer would set, in a file."""
    identity = lab.pki.secrets[flow.client_secret]
    ((name, value),) = header_field(flow.server.certificate_header, "", identity, "")
    return private_file(lab.folder / f"{flow.client_secret}.{name}.header", f"{name}: ".encode() + value + b"\n")


def curl(
    lab: ReferenceLab, flow: Flow, posture: Posture, path: Path, entrypoint: Entrypoint, header: FilePath
) -> Iterable[str]:
    """The command that makes *flow*'s request as management would: with its certificate, its token, or both."""
    host, port = entrypoint.address.server_name, entrypoint.address.port
    yield "curl -sS --resolve"
    yield f"{host}:{port}:{entrypoint.address.host}"
    yield f"--cacert {shlex.quote(str(entrypoint.ca))}"
    if flow.client_secret:
        secret = lab.secrets / flow.client_secret
        yield f"--cert {shlex.quote(str(secret / 'tls.crt'))} --key {shlex.quote(str(secret / 'tls.key'))}"
    if flow.client_secret or flow.server.audience:
        yield f"-H @{shlex.quote(str(header))}"
    if flow.server.certificate_header and path is not Path.TERMINATING:
        yield f"-H @{shlex.quote(str(_certificate_header(lab, flow)))}"
    if flow.body:
        yield f"-X {flow.method} -H 'Content-Type: application/json'"
        yield f"-d {shlex.quote(flow.body.replace('{nonce}', 'demo'))}"
    yield f"https://{host}:{port}{flow.path.replace('{nonce}', 'demo')}"
    effective = flow.server.default if posture is Posture.DEFAULT else posture
    if path is Path.TERMINATING and effective in (Posture.MTLS, Posture.BOTH):
        yield "  # refused with 502, as it must be: this balancer does not hold the client's key"


def add(verbs: Verbs) -> None:
    """Add ``serve``."""
    up = verb(verbs, "serve", _serve, "start the reference topology, and print addresses, files and curl commands")
    up.add_argument("--flow", default="", help="only this flow")
    up.add_argument(
        "--target", choices=["embedded", "containers"], default="embedded", help="where it runs (default embedded)"
    )


def _serve(arguments: Arguments) -> int:
    known, end, lab = read_catalogue(), threading.Event(), None
    try:
        lab = builtin.find(arguments.target).bench(known, 0).lab
        assert isinstance(lab, ReferenceLab)
        serve(known, lab, arguments.flow, lambda line: print(line, flush=True), end)  # noqa: T201
    except KeyboardInterrupt:
        return 0
    finally:
        # Taking containers down takes a moment; a second Ctrl-C in it would leave some of them.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        if lab is not None:
            lab.close()
        signal.signal(signal.SIGINT, before)
    return 0
