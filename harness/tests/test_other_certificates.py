"""mTLS servers that are not ours, under PKIs that are not cert-manager's: right ones pass, wrong ones are caught."""

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

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.config import Options
from harness.model.vocabulary import Depth
from harness.pki.deployment import CLIENT, LEAF_USAGE, SERVER, Pki
from harness.pki.issue import Identifiers, Identity, dns_names, issue, revocation_list
from harness.pki.keys import Key, new_key
from harness.products.registry import reference
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


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


def rows(run: Run, outcome: str, level: str = "") -> set[str]:
    return {row["stimulus"] for row in run.rows if row["outcome"] == outcome and level in ("", row["level"])}


def name_is(shape: Shape) -> Allow:
    der = x509.Name.from_rfc4514_string(shape.subject).public_bytes()
    return lambda tls: der == x509.load_der_x509_certificate(tls.getpeercert(True) or b"").subject.public_bytes()


def uri_is(tls: ssl.SSLSocket) -> bool:
    certificate = tls.getpeercert() or {}
    return ("URI", SPIFFE.value) in certificate.get("subjectAltName", ())  # type: ignore[comparison-overlap]


SHAPES: dict[str, dict[str, Any]] = {
    "issuing CA, URI": {},
    "RSA": {"like": rsa.generate_private_key(65537, 2048)},
    "domain components": {"subject": "CN=orders,OU=Services,DC=example,DC=com", "issuing": False, "names": ()},
    "no common name": {"subject": "2.5.4.5=4711,O=Example,C=DE", "names": ()},
    "one part": {"subject": "CN=orders", "issuing": False, "names": ()},
    "no key identifiers": {"ski": False, "issuing": False},
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_right_server_conforms_under_any_pki(pki: Pki, tmp_path: Path, name: str) -> None:
    shape = Shape(tmp_path, pki, **SHAPES[name])
    with shape.served(name_is(shape)) as port:
        run = shape.judge(port, subject=shape.subject)
    assert run.status == 0, run.trouble
    assert rows(run, "FAIL") | rows(run, "WRONG_REASON") | rows(run, "HARNESS_ERROR") == set()
    assert len(rows(run, "UNOBSERVED")) <= 3
    assert {"id-cn-only-match", "v-expired-leaf", "ca-leaf-issues-leaf", "ta-other-ca", "nc-dn"} <= rows(run, "PASS")


def test_a_client_that_is_known_by_its_uri(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served(uri_is) as port:
        run = shape.judge(port)
    assert run.status == 0, run.trouble
    assert {row["outcome"] for row in run.rows} == {"PASS"}


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        (lambda _: True, "id-cn-only-match"),
        (
            lambda tls: dict(part[0] for part in tls.getpeercert()["subject"])["commonName"] == "orders",
            "id-cn-only-match",
        ),
    ],
)
def test_a_subject_that_is_not_compared_is_found_at_quick_depth(
    pki: Pki, tmp_path: Path, wrong: Allow, broken: str
) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served(wrong) as port:
        run = shape.judge(port, Depth.QUICK, subject=shape.subject)
    assert run.status == 1
    assert broken in rows(run, "FAIL", "MUST")


def test_a_second_ca_that_is_trusted_is_found_at_quick_depth(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served(change=lambda context: context.load_verify_locations(tmp_path / "other.pem")) as port:
        run = shape.judge(port, Depth.QUICK)
    assert run.status == 1
    assert rows(run, "FAIL") == {"ta-other-ca"}


def test_a_revoked_client(pki: Pki, tmp_path: Path) -> None:
    def with_lists(context: ssl.SSLContext) -> None:
        context.load_verify_locations(tmp_path / "crl.pem")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN

    shape = Shape(tmp_path, pki)
    client = {"revoked": {"certificate": "revoked.pem", "key": "revoked.key"}}
    with shape.served() as port:
        blind = shape.judge(port, Depth.QUICK, client=client)
    assert blind.status == 1
    assert rows(blind, "FAIL", "MUST") == {"tls-crl-revoked"}
    with shape.served(change=with_lists) as port:
        right = shape.judge(port, client=client)
    assert right.status == 0, right.trouble
    assert "tls-crl-revoked" in rows(right, "PASS")
    # A CA that we make has no CRL: what is below it is refused for that, and shows nothing else.
    assert rows(right, "FAIL") == {"via-intermediate"}
    assert {"ca-false", "pathlen-0", "nc-dns", "nc-dn-inside"} <= rows(right, "UNOBSERVED")


def test_the_ca_may_be_an_intermediate_or_the_root_above(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served() as port:
        for ca in ({"ca": "root.pem"}, {"ca": "root.pem", "ca_key": "root.key"}):
            run = shape.judge(port, Depth.QUICK, client=ca)
            assert run.status == 0, run.trouble
            assert {row["outcome"] for row in run.rows} == {"PASS"}


def test_an_issuing_ca_that_may_have_no_ca_below_it(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki, path_length=0)
    with shape.served() as port:
        run = shape.judge(port)
    assert run.status == 0, run.trouble
    assert {row["outcome"] for row in run.rows} == {"PASS"}
    assert {"ca-leaf-issues-leaf", "pathlen-0", "v-expired-leaf"} <= rows(run, "PASS")
    message = "the client's CA may have no further CA below it (path length)"
    withheld = {item.case.stimulus.id for item in run._withheld if item.reason == message}
    assert {"via-intermediate", "ca-false", "nc-dn", "v-expired-ica"} <= withheld


def test_an_issuing_ca_that_may_have_one_ca_below_it(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki, path_length=1)
    with shape.served() as port:
        run = shape.judge(port)
    assert run.status == 0, run.trouble
    assert {row["outcome"] for row in run.rows} == {"PASS"}
    assert {"via-intermediate", "ca-false", "pathlen-0"} <= rows(run, "PASS")
    assert "pathlen-1" not in rows(run, "PASS")
