"""What the tests of the subsystems share: a process to talk to, custom resources, clients over real sockets, tokens."""

from __future__ import annotations

import base64
import itertools
import json
import queue
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import yaml

from harness.pki.deployment import Pki
from harness.pki.issue import Identity, Profile, issue
from harness.products.registry import reference

PATIENCE = 60.0
HOSTS = {
    "api.apic.test": "127.0.0.1",
    "api.portal.apic.test": "127.0.0.1",
    "management-juhu.apic.svc": "127.0.0.1",
}
HOST = {
    "portal": "api.portal.apic.test",
    "analytics": "ai.apic.test",
    "management": "api.apic.test",
    "api-gateway": "rgwd.apic.test",
    "v5c-gateway": "gwd.apic.test",
    "event-gateway": "egwd.apic.test",
    "service": "orders.ecomm.test",
}
CLIENT = {
    "portal": "portal-admin-client",
    "analytics": "analytics-ingestion-client",
    "api-gateway": "gateway-client-client",
    "v5c-gateway": "gateway-client-client",
    "event-gateway": "gateway-client-client",
    "service": "gateway-client-client",
}
SUCCESS = {
    "portal": 201,
    "analytics": 202,
    "api-gateway": 201,
    "v5c-gateway": 201,
    "event-gateway": 201,
    "service": 201,
}
_SECRET = {
    "portal": "portal-admin",
    "analytics": "analytics-ai-endpoint",
    "management": "api-endpoint",
    "api-gateway": "gwv6-manager-endpoint",
    "v5c-gateway": "gwv5-manager-endpoint",
    "event-gateway": "event-gateway-manager-endpoint",
    "service": "orders-service",
}
_names = itertools.count()


class Process:
    """A running ``python -m harness.subsystems``."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "harness.subsystems", *reference().subsystems],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._numbers = itertools.count(1)
        self._news = threading.Condition()
        self.connections: list[dict[str, Any]] = []
        self.log: list[str] = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._read_log)]
        for thread in self._threads:
            thread.start()
        assert self._replies.get(timeout=PATIENCE) == {"kind": "ready"}

    def raw(self, line: bytes) -> dict[str, Any]:
        """Send a line as it is; the next reply."""
        assert self._child.stdin is not None
        self._child.stdin.write(line + b"\n")
        self._child.stdin.flush()
        return self._replies.get(timeout=PATIENCE)

    def ask(self, op: str, **members: Any) -> dict[str, Any]:
        """The whole reply to a command."""
        return self.raw(json.dumps({"id": next(self._numbers), "op": op, **members}).encode())

    def do(self, op: str, **members: Any) -> dict[str, Any]:
        """The result of a command that must succeed."""
        reply = self.ask(op, **members)
        assert reply["ok"], reply
        result: dict[str, Any] = reply["result"]
        return result

    def connection(self, listener_port: int, local_port: int) -> dict[str, Any]:
        """The record of the latest connection from *local_port* to *listener_port*, as soon as there is one."""
        ports = (listener_port, local_port)

        def found() -> list[dict[str, Any]]:
            return [item for item in self.connections if (item["local_port"], item["peer_port"]) == ports]

        with self._news:
            assert self._news.wait_for(found, PATIENCE), "no record"
            return found()[-1]  # the kernel gives a port out again

    def end(self) -> int:
        """Close stdin; the exit status."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        status = self._child.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for stream in (self._child.stdout, self._child.stderr):
            assert stream is not None
            stream.close()
        return status

    def _listen(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            message = json.loads(line)
            if message["kind"] == "connection":
                with self._news:
                    self.connections.append(message)
                    self._news.notify_all()
            else:
                self._replies.put(message)

    def _read_log(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self.log.append(line.decode())


@dataclass
class Deployment:
    """A deployment folder, its PKI, and a process that serves from it."""

    folder: Path
    pki: Pki
    process: Process
    jwks_url: str = ""
    _kinds: dict[str, str] = field(default_factory=dict)

    def resource(self, kind: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The custom resource of a *kind* with *changes* to its spec; None takes a field away."""
        hosts = {"hosts": [{"name": HOST[kind], "secretName": _SECRET[kind]}]}
        spec: dict[str, Any] = {"mgmtPlatformEndpointCASecret": {"secretName": "ingress-ca"}}
        if kind == "portal":
            spec |= {"portalAdminEndpoint": hosts, "adminClientSubjectDN": "CN=portal-admin-client,O=cert-manager"}
        elif kind == "analytics":
            spec |= {
                "ingestion": {"endpoint": hosts, "clientSubjectDN": "CN=analytics-ingestion-client,O=cert-manager"}
            }
        elif kind == "management":
            spec |= {
                "platformAPIEndpoint": hosts,
                "portal": {"admin": {"secretName": "portal-admin-client"}},
                "analytics": {"ingestion": {"secretName": "analytics-ingestion-client"}},
                "gateway": {"client": {"secretName": "gateway-client-client"}},
            }
        elif kind == "service":
            spec |= {"endpoint": hosts, "issuer": "IBM API Connect", "audience": "n/a"}
        else:
            spec |= {"gatewayManagerEndpoint": hosts}
        spec |= changes or {}
        spec = {name: value for name, value in spec.items() if value is not None}
        name = (
            "GatewayCluster" if "gateway" in kind else f"{kind.capitalize()}Cluster" if kind != "service" else "Service"
        )
        return {"apiVersion": "v1beta1", "kind": name, "metadata": {"name": kind}, "spec": spec}

    def order(self, kind: str, changes: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """What to send with op start."""
        number = next(_names)
        path = self.folder / f"{kind}-{number}.yaml"
        path.write_text(yaml.safe_dump(self.resource(kind, changes)))
        return {
            "id": f"{kind}/{number}",
            "kind": kind,
            "config": str(path),
            "folder": str(self.folder),
            "hosts": HOSTS,
            **more,
        }

    def start(
        self, kind: str, posture: str = "default", changes: Mapping[str, Any] | None = None, **more: Any
    ) -> Server:
        """Start an instance in a posture."""
        order = self.order(kind, {**self.posture(posture), **(changes or {})}, **more)
        answer = self.process.do("start", instances=[order])[order["id"]]
        assert "port" in answer, answer
        return Server(self, order["id"], kind, answer["port"])

    def refusal(self, kind: str, changes: Mapping[str, Any], **more: Any) -> str:
        """Why an instance does not start."""
        order = self.order(kind, changes, **more)
        answer = self.process.do("start", instances=[order])[order["id"]]
        assert "refused" in answer, answer
        text: str = answer["refused"]
        return text

    def posture(self, posture: str) -> dict[str, Any]:
        """The fields of a custom resource that make a posture."""
        postures: dict[str, dict[str, Any]] = {
            "default": {},
            "mtls": {"mtlsValidateClient": True},
            "jwt": {"mtlsValidateClient": False, "jwksUrl": self.jwks_url},
            "both": {"mtlsValidateClient": True, "jwksUrl": self.jwks_url},
            "tls-only": {"mtlsValidateClient": False},
        }
        return postures[posture]

    def certificate(self, kind: str, **changes: Any) -> Identity:
        """The client's certificate of a kind, with changes to its profile."""
        from dataclasses import replace

        issuer = changes.pop("issuer", self.pki.secrets["ingress-ca"])
        return issue(replace(self.pki.profile(CLIENT[kind]), **changes), issuer)

    def profile(self, kind: str) -> Profile:
        """What the client's certificate of a kind says."""
        return self.pki.profile(CLIENT[kind])

    def token(self, headers: Mapping[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
        """A good token with changed headers and claims; None takes one away."""
        now = int(time.time())
        content = {"iss": "IBM API Connect", "aud": "n/a", "sub": "n/a", "iat": now, "exp": now + 300, **claims}
        head = {"alg": "RS256", "typ": "JWT", "kid": self.pki.kid, **(headers or {})}
        signed = {name: value for name, value in content.items() if value is not None}
        return sign({n: v for n, v in head.items() if v is not None}, signed, key or self.pki.signing_key)


@dataclass
class Server:
    """A running instance."""

    deployment: Deployment
    id: str
    kind: str
    port: int

    def good(self, **changes: Any) -> Result:
        """What a well-configured management would send, with *changes* to :func:`send`'s parameters."""
        nonce = f"n{next(_names)}"
        method, path, body = request_of(self.kind, nonce)
        given = {
            "identity": self.deployment.pki.secrets[CLIENT[self.kind]],
            "token": self.deployment.token(),
            "method": method,
            "path": path,
            "body": body,
            "nonce": nonce,
        }
        return send(self, **{**given, **changes})

    def effects(self) -> list[str]:
        """What the instance did."""
        effects: list[str] = self.deployment.process.do("state", instances=[self.id])[self.id]["effects"]
        return effects

    def counter(self, name: str) -> int:
        """A counter of the instance."""
        value: int = self.deployment.process.do("state", instances=[self.id])[self.id]["counters"][name]
        return value

    def stop(self) -> None:
        """Stop the instance."""
        self.deployment.process.do("stop", instances=[self.id])


@dataclass
class Result:
    """What a client got: a status or an error, and the way to what the server saw."""

    server: Server
    nonce: str
    local_port: int
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    version: str | None = None
    reused: bool | None = None
    finished: bytes = b""

    @property
    def seen(self) -> dict[str, Any]:
        """The server's record."""
        return self.server.deployment.process.connection(self.server.port, self.local_port)

    @property
    def reason(self) -> str:
        """Why the server said no: at the TLS level or of its first request."""
        observed = self.seen
        return str(observed["rejected"] or (observed["requests"][0]["reason"] if observed["requests"] else ""))

    @property
    def served(self) -> bool:
        """Answered as if all was well."""
        return self.status == SUCCESS[self.server.kind]

    @property
    def acted(self) -> bool:
        """The server did what was asked."""
        return self.nonce in self.server.effects()


def request_of(kind: str, nonce: str) -> tuple[str, str, bytes]:
    """Method, path and body of the effective request to a kind of server."""
    if kind == "analytics":
        return "POST", "/ingestion", json.dumps({"id": nonce, "event": "e"}).encode()
    prefix = {"portal": "/api/portals/", "service": "/orders/"}.get(kind, "/mgmt/services/")
    return "PUT", prefix + nonce, json.dumps({"name": nonce, "endpoint": "https://x"}).encode()


def client_context(
    deployment: Deployment, identity: Identity | None, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """A stdlib client context that verifies the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=deployment.pki.secrets["ingress-ca"].pem().decode())
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if identity is not None:
        path = deployment.folder / f"client-{next(_names)}.pem"
        path.write_bytes(identity.key_pem() + identity.pem())
        context.load_cert_chain(path)
    return context


def send(
    server: Server,
    *,
    identity: Identity | None,
    token: str | None,
    method: str,
    path: str,
    body: bytes,
    nonce: str,
    headers: tuple[str, ...] = (),
    version: ssl.TLSVersion | None = None,
    context: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> Result:
    """One request on one new connection; reads even if writing failed, because the alert may be there."""
    context = context or client_context(server.deployment, identity, version)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST[server.kind]}", f"X-Hopproof-Case: {nonce}", *headers]
    lines += [f"Authorization: Bearer {token}"] if token is not None else []
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        result = Result(server, nonce, plain.getsockname()[1])
        try:
            with context.wrap_socket(plain, server_hostname=HOST[server.kind], session=session) as secure:
                result.version, result.reused = secure.version(), secure.session_reused
                result.finished = secure.get_channel_binding("tls-unique") or b""
                _talk(secure, "\r\n".join(lines).encode("latin-1") + body, result)
        except OSError as error:
            result.error = result.error or str(error)
    return result


def _talk(secure: ssl.SSLSocket, request: bytes, result: Result) -> None:
    try:
        secure.sendall(request)
    except OSError as error:
        result.error = str(error)
    try:
        _understand(b"".join(iter(lambda: secure.recv(65536), b"")), result)
    except OSError as error:
        result.error = str(error)


def _understand(answer: bytes, result: Result) -> None:
    if not answer:
        result.error = result.error or "closed without an answer"
        return
    head, _, result.body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    result.status = int(first.split()[1])
    result.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Any) -> str:
    """An RS256 signature over any header and claims."""
    return sign_segments(encode(json.dumps(header).encode()), encode(json.dumps(claims).encode()), key)


def sign_segments(head: str, body: str, key: Any) -> str:
    """An RS256 signature over two segments, whatever they are."""
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{head}.{body}.{encode(algorithm.sign(f'{head}.{body}'.encode(), key))}"


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def later(identity_start: Any, days: int) -> Any:
    """A moment *days* after another."""
    return identity_start + timedelta(days=days)
