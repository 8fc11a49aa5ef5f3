"""Calls that a server makes to other servers: addresses, client authentication, responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from harness.model.vocabulary import Reason
from harness.subsystems.microservices.oauth import INTROSPECTION_PATH, basic, client_secret
from harness.subsystems.server.application import Outgoing
from harness.subsystems.server.certificates import certificates, read_file
from harness.subsystems.server.client import Call, CallFailed, Reply, Trust
from harness.subsystems.server.kind import Making
from harness.subsystems.server.rejection import Rejected

NONCE = "X-Hopproof-Case"


class Upstreams:
    """The servers that a server calls, by name in its configuration; it authenticates as *client*."""

    def __init__(self, making: Making, client: str, secret: str) -> None:
        self._making, self._client, self._secret = making, client, secret
        self._outgoing: Outgoing | None = None
        self._hosts: Mapping[str, str] = {}

    def connect(self, outgoing: Outgoing, hosts: Mapping[str, str]) -> None:
        """Set how requests are sent, and the addresses of host names."""
        self._outgoing, self._hosts = outgoing, hosts

    @property
    def urls(self) -> Mapping[str, str]:
        """The URL of each, from the configuration."""
        found: Mapping[str, str] = yaml.safe_load(self._making.config.read_text("utf-8"))["spec"].get("upstreams", {})
        return found

    async def post(self, server: str, path: str, form: Mapping[str, str], nonce: str) -> tuple[int, dict[str, Any]]:
        """The status and the members of the answer of an OAuth endpoint."""
        headers = {
            "Authorization": basic(self._client, client_secret(self._making.folder, self._secret)),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            NONCE: nonce,
        }
        reply = await self.call(server, "POST", path, headers, urlencode(form).encode())
        try:
            members = json.loads(reply.body)
        except ValueError:
            members = {}
        return reply.status, members if isinstance(members, dict) else {}

    async def introspect(self, server: str, reference: str, nonce: str) -> tuple[int, dict[str, Any]]:
        """The status and the members of *server*'s answer about *reference* (RFC 7662)."""
        form = {"token": reference, "token_type_hint": "access_token"}
        return await self.post(server, INTROSPECTION_PATH, form, nonce)

    async def call(self, server: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The response of *server*; raises Rejected if it does not respond."""
        url, making = self.urls.get(server, ""), self._making
        assert self._outgoing is not None, "connect comes first"
        authority = certificates(read_file(making.folder / "secrets" / "ingress-ca" / "ca.crt"), "the CA")
        request = Call(method, url + path, self._hosts.get(str(urlsplit(url).hostname), ""), headers, body)
        try:
            return await self._outgoing(request, Trust(authority, making.clock))
        except CallFailed as error:
            raise Rejected(Reason.KEYS_UNAVAILABLE, f"{server} does not respond: {error}") from error


def is_reference(token: str) -> bool:
    """Whether *token* is a reference token (not a JWT), which only its issuer can introspect."""
    return token.count(".") != 2
