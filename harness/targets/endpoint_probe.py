"""Looks at an endpoint from outside, without a credential that counts.

Handshakes and GET requests for the URL's own path, and nothing else: no token, no other method, no redirect followed.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from harness import __version__
from harness.errors import CannotJudge, UsageError
from harness.lab.protocol import host_header
from harness.model.exchange import ClientView
from harness.stimuli.contexts import trusting
from harness.targets.check import unusable
from harness.targets.endpoint_report import Probe, ProbeOptions, plain
from harness.targets.external import address_of
from harness.targets.file import Endpoint
from harness.targets.obstacles import now
from harness.wire.handshake import VERSIONS, Handshake, look
from harness.wire.send import ANSWER_SECONDS, Address, Prepared, prepare, send

SECONDS = ANSWER_SECONDS
"""How long a handshake may take."""
_NO_TLS = ("wrong version number", "packet length too long")
"""OpenSSL's error for bytes that are not a TLS record."""
_KEPT = frozenset({"location"})


def probe(wanted: ProbeOptions) -> Probe:
    """Look at what *wanted* names; raises :class:`UsageError` for a bad address, CannotJudge where nothing answers."""
    endpoint = wanted.endpoint()
    address = address_of(endpoint)
    shown = look(address, ("h2", "http/1.1"), seconds=SECONDS)
    if not shown.established and not shown.asked:
        raise _nothing(endpoint, shown)
    own = look(address, ("http/1.1",), seconds=SECONDS).protocol
    request = _request(endpoint)
    untrusted, bare = _sent(address, request, wanted, "", "")
    at = now()
    client = _sent(address, request, wanted, wanted.cert, wanted.key)[1] if wanted.cert else None
    last = client or bare
    # One that wants a certificate ends every request without it: that says nothing of HTTP.
    if last.response is None and not last.alert and shown.protocol == "h2" and own != "http/1.1":
        raise CannotJudge(
            "speaks HTTP/2 only, and Hopproof sends HTTP/1.1",
            where=endpoint.host,
            hint="make it offer http/1.1 beside h2 (ALPN)",
        )
    if bare.timed_out:
        raise CannotJudge("the TLS handshake succeeds, but the request times out", where=endpoint.host)
    offered = tuple(name for name in VERSIONS if _speaks(look(address, version=name, seconds=SECONDS)))
    protocols = tuple(dict.fromkeys(filter(None, (shown.protocol, own))))
    return Probe(wanted, endpoint, shown, offered, protocols, untrusted, bare, at, client)


def write(found: Probe, file: Path) -> None:
    """Write the target file; raises :class:`UsageError` where there is one, or none can be."""
    text = found.target()
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(file), hint="name a new file") from error


def _nothing(endpoint: Endpoint, shown: Handshake) -> CannotJudge:
    if not shown.connected:
        return CannotJudge(shown.fault, where=endpoint.host, hint="check the URL, --connect and the network")
    if shown.fault:
        return CannotJudge(shown.fault, where=endpoint.host, hint="is this a TLS port?")
    message = (
        "the port does not speak TLS" if any(words in shown.failed for words in _NO_TLS) else "the TLS handshake fails"
    )
    return CannotJudge(
        f"{message}: {plain(shown.failed)}", where=endpoint.host, hint="is this a TLS port, and the right host name?"
    )


def _request(endpoint: Endpoint) -> Prepared:
    host = host_header(endpoint.host, endpoint.port).encode()
    headers = (("Host", host), ("User-Agent", f"hopproof/{__version__}".encode()), ("Accept", b"*/*"))
    return prepare("GET", endpoint.url_path, (*headers, ("Connection", b"close")), b"")


def _sent(
    address: Address, request: Prepared, wanted: ProbeOptions, cert: str, key: str
) -> tuple[str | None, ClientView]:
    """Why the certificate is not trusted (None: not asked), and what the request came to all the same."""
    if not wanted.ca:
        return None, send(address, request, _context("", cert, key), _KEPT)
    observed = send(address, request, _context(wanted.ca, cert, key), _KEPT)
    if not observed.server_refused:
        return "", observed
    # A client's certificate is shown only to a server that has proved its identity.
    return observed.server_refused, send(address, request, _context("", "", ""), _KEPT)


def _context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    try:
        context = trusting(Path(ca)) if ca else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except OSError as error:
        raise unusable("--ca", Path(ca), error) from error
    if not ca:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if cert:
        try:
            context.load_cert_chain(cert, key, "")
        except (OSError, ValueError) as error:
            message = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            raise UsageError(f"--cert and --key cannot be used: {message}", where=f"{cert}, {key}") from error
    return context


def _speaks(shown: Handshake) -> bool:
    """A server of TLS 1.2 that wants a certificate fails without one, after it has agreed to the version."""
    return shown.established or shown.asked
