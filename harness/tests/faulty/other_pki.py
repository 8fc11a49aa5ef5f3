"""A PKI that is not cert-manager's, a right mTLS server under it, and what Hopproof says of a server there."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509

from harness.config import Options
from harness.model.vocabulary import Depth
from harness.pki.deployment import CLIENT, LEAF_USAGE, SERVER, Pki
from harness.pki.issue import Identifiers, Identity, dns_names, issue, revocation_list
from harness.pki.keys import Key, new_key
from harness.run.run import Run

Change = Callable[[ssl.SSLContext], None]
Allow = Callable[[ssl.SSLSocket], bool]
FOREIGN = "CN=orders,OU=Payments,O=Example GmbH,L=Berlin,ST=Berlin,C=DE"
SPIFFE = x509.UniformResourceIdentifier("spiffe://example.test/orders")


class Shape:
    """A PKI: a root for servers, one for clients, an issuing CA below that if *issuing*, a client called *subject*."""

    def __init__(self, folder: Path, pki: Pki, *, subject: str = FOREIGN, issuing: bool = True, like: Key | None = None,
                 names: tuple[x509.GeneralName, ...] = (SPIFFE,), ski: bool = True,
                 path_length: int | None = None) -> None:  # fmt: skip
        self.folder, self.subject = folder, subject
        ca = replace(pki.ca_profile("x"), identifiers=Identifiers(own=ski))
        self._ca, self._like = ca, like
        self.root = self._issue("Example Client Root")
        limit = x509.BasicConstraints(ca=True, path_length=path_length)
        self.issuing = self._issue("Example Issuing CA", self.root, limit) if issuing else self.root
        self.other = self._issue("Example Other CA")
        servers = self._issue("Example Server Root")
        leaf = replace(ca, key_usage=LEAF_USAGE, constraints=x509.BasicConstraints(ca=False, path_length=None))
        self._leaf = replace(
            leaf, subject=x509.Name.from_rfc4514_string(subject), names=names, extended=(CLIENT,),
            identifiers=Identifiers(own=ski, issuer_key=ski),
        )  # fmt: skip
        server = replace(leaf, names=dns_names(["localhost"]), extended=(SERVER,), identifiers=Identifiers())
        self.client, self.revoked = self._client(), self._client()
        self._write(root=self.root, issuing=self.issuing, other=self.other, servers=servers, client=self.client,
                    revoked=self.revoked, server=issue(server, servers, key=new_key(like)))  # fmt: skip
        end = pki.now + timedelta(days=30)
        lists = revocation_list(self.issuing, [self.revoked], pki.now, end)
        (folder / "crl.pem").write_bytes(lists + (revocation_list(self.root, [], pki.now, end) if issuing else b""))

    def _issue(self, name: str, by: Identity | None = None, limit: x509.BasicConstraints | None = None) -> Identity:
        usage = frozenset({"key_cert_sign", "crl_sign"})
        subject = x509.Name.from_rfc4514_string(f"CN={name},O=Example GmbH,C=DE")
        profile = replace(self._ca, subject=subject, key_usage=usage, constraints=limit or self._ca.constraints)
        return issue(profile, by, key=new_key(self._like))

    def _client(self) -> Identity:
        made = issue(self._leaf, self.issuing, key=new_key(self._like))
        return made if self.issuing is self.root else made.sending(self.issuing)

    def _write(self, **identities: Identity) -> None:
        for name, identity in identities.items():
            (self.folder / f"{name}.pem").write_bytes(identity.pem())
            (self.folder / f"{name}.key").write_bytes(identity.key_pem())

    @contextlib.contextmanager
    def served(self, allow: Allow = lambda _: True, change: Change = lambda _: None) -> Iterator[int]:
        """A right mTLS server on loopback, changed; the port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        context.load_verify_locations(self.folder / "root.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        change(context)
        server = _Server(context, allow)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def judge(
        self, port: int, depth: Depth = Depth.FULL, *, client: dict[str, Any] | None = None, **server: Any
    ) -> Run:
        """What Hopproof says of the server at *port*."""
        row = {"url": f"https://localhost:{port}/", "connect": f"127.0.0.1:{port}", "ca": "servers.pem",
               "posture": "mtls", **server}  # fmt: skip
        own = {"certificate": "client.pem", "key": "client.key", "ca": "issuing.pem", "ca_key": "issuing.key",
               "other_ca": "other.pem", "other_ca_key": "other.key", **(client or {})}  # fmt: skip
        file = self.folder / "target.yaml"
        data = {"product": {"name": "other"}, "environment": "lab", "rate": 1000, "servers": {"service": row}}
        file.write_text(yaml.safe_dump({**data, "client": own}), "utf-8")
        run = Run(Options(target=str(file), report=self.folder / "report", seed=1, depth=depth))
        run.start(run.cases)
        run.finish()
        return run


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        self.send_response(200 if self.server.allow(self.connection) else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the row says enough."""


class _Server(ThreadingHTTPServer):
    def __init__(self, context: ssl.SSLContext, allow: Allow) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.allow, self._context = allow, context

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)


def rows(run: Run, outcome: str, level: str = "") -> set[str]:
    """The stimuli whose rows have *outcome*, of *level* alone where one is named."""
    return {row["stimulus"] for row in run.rows if row["outcome"] == outcome and level in ("", row["level"])}
