"""Brings the reference topology up for people: addresses, files, curl lines that work when pasted.  Judges nothing."""

from __future__ import annotations

import hashlib
import shlex
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path as FilePath

from harness.catalogue import Catalogue
from harness.catalogue.combinations import modes_in_words
from harness.catalogue.product import of_product
from harness.catalogue.registry import catalogue as read_catalogue
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.lab import ConfigurationRefused, Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.vocabulary import Path, Posture
from harness.pki.private_files import private_file
from harness.products.product import SampleRequest
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
    beneath = [] if flow else [server for server in catalogue.servers.values() if server.name in lab.product.samples]
    asides = {server.name: Setup(server.name, server.default, Path.DIRECT) for server in beneath}
    entrypoints = lab.open([*setups, *asides.values()])
    _write_tokens(lab, flows)
    tell(f"files (private, gone when this ends): {lab.folder}")
    for item in flows:
        for line in _lines(lab, item, entrypoints, _header(lab.folder, item.server)):
            tell(line)
    for server in beneath:
        entrypoint = entrypoints[asides[server.name]]
        if isinstance(entrypoint, Entrypoint):
            for line in _sample_lines(lab, server, entrypoint):
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
        private_file(_token_file(lab.folder, server.name), token.encode())


def _token_file(folder: FilePath, server: str) -> FilePath:
    """Where the good token for *server* is, as it is."""
    return folder / f"{server}.token"


def _sample_lines(lab: ReferenceLab, server: Server, entrypoint: Entrypoint) -> Iterator[str]:
    address = entrypoint.address
    yield f"\n{server.name}: {server.endpoint}"
    yield f"  https://{address.server_name}:{address.port} at {address.host}"
    for sample in lab.product.samples[server.name]:
        yield f"    {' '.join(_sample_curl(lab, sample, entrypoint))}"


def _sample_curl(lab: ReferenceLab, sample: SampleRequest, entrypoint: Entrypoint) -> Iterator[str]:
    """The command that makes *sample*; the client's secret and its token are in files."""
    host, port = entrypoint.address.server_name, entrypoint.address.port
    yield f"curl -sS --resolve {host}:{port}:{entrypoint.address.host}"
    yield f"--cacert {shlex.quote(str(entrypoint.ca))}"
    if sample.client:
        secret = hashlib.sha256((lab.secrets / sample.secret / "tls.key").read_bytes()).hexdigest()
        file = private_file(lab.folder / f"{sample.client}.curl", f'user = "{sample.client}:{secret}"\n'.encode())
        yield f"-K {shlex.quote(str(file))}"
    for name, value in sample.form.items():
        yield f"-d {shlex.quote(f'{name}={value}')}"
    if sample.token:
        yield f"--data-urlencode {sample.token}@{shlex.quote(str(_token_file(lab.folder, sample.of)))}"
    yield f"https://{host}:{port}{sample.path}"


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
    up.add_argument("--product", default="", metavar="NAME", help="only the flows and servers of this product")
    up.add_argument(
        "--target", choices=["embedded", "containers"], default="embedded", help="where it runs (default embedded)"
    )


def _serve(arguments: Arguments) -> int:
    known, end, lab = read_catalogue(), threading.Event(), None
    served = of_product(known, arguments.product)
    try:
        lab = builtin.find(arguments.target).bench(known, 0).lab
        assert isinstance(lab, ReferenceLab)
        serve(served, lab, arguments.flow, lambda line: print(line, flush=True), end)  # noqa: T201
    except KeyboardInterrupt:
        return 0
    finally:
        # Taking containers down takes a moment; a second Ctrl-C in it would leave some of them.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        if lab is not None:
            lab.close()
        signal.signal(signal.SIGINT, before)
    return 0
