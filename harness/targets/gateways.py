"""Gateways in a target file: APIs whose ways of authentication are mandatory, optional or disabled, each for itself.

A product's catalogue has an API of the lab's for every combination of modes.  A gateway of somebody's own is asked what
is asked of the one with the same modes; which that is, and what else is asked, the product says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.model.case import GOOD
from harness.model.catalogue import Cells, Flow, Requirement, Server
from harness.model.claims import Claim
from harness.model.vocabulary import Path, Posture
from harness.products.product import Gateway
from harness.products.registry import product
from harness.targets.file import Endpoint, TargetFile
from harness.targets.flows import requested, service

MTLS, OAUTH2 = "mtls", "oauth2"
_DISABLED, _OPTIONAL, _MANDATORY = "disabled", "optional", "mandatory"
_DEFAULT = "default"
_BY_TOKEN = "client-by-token-to-"
"""Begins the name of the flow on which a client that need not show a certificate shows none."""


def profile_of(file: TargetFile) -> str:
    """Whose reading of the product's documents counts: the file's, or the usual one; '' where there is one reading."""
    profiles = product(file.kind).profiles if file.kind and any(each.modes for each in file.endpoints.values()) else {}
    return file.profile or next(iter(profiles), "")


def mistakes(file: TargetFile, flows: Mapping[str, Flow]) -> Iterator[str]:
    """What is wrong with what *file* says of gateways, in words."""
    having = sorted({flow.server.product for flow in flows.values() if flow.modes})
    with_modes = [each for each in file.endpoints.values() if each.modes]
    for endpoint in with_modes:
        if file.kind not in having:
            yield f"servers.{endpoint.name}.modes: product.kind must name the gateway's product ({', '.join(having)})"
        elif endpoint.certificate_header and endpoint.path is not Path.DIRECT:
            yield (
                f"servers.{endpoint.name}: certificate_header is for the gateway itself "
                f"(path: direct); over path {endpoint.path} the proxy sets the header"
            )
    for endpoint in file.endpoints.values():
        if endpoint.certificate_header and not endpoint.modes:
            yield f"servers.{endpoint.name}: certificate_header is only for an endpoint with modes"
    known = product(file.kind).profiles if file.kind in having else {}
    if file.profile and file.profile not in known:
        named = f"one of {', '.join(known)}" if known else "this product has no profiles"
        yield f"product.profile: unknown profile {file.profile!r}; {named}"
    elif file.profile and not with_modes:
        yield "product.profile: it is only for servers with modes"


@dataclass(frozen=True)
class Asked:
    """What is asked of the gateway at ``endpoint``: ``documented`` is the flow with the same modes."""

    endpoint: Endpoint
    modes: Mapping[str, str]
    documented: Flow

    @property
    def name(self) -> str:
        """Its flow's name."""
        return f"client-to-{self.endpoint.name}"

    def flows(self, client_secret: str) -> Iterator[Flow]:
        """Its flow, and where a token is looked at only of a client without a certificate, that client's."""
        endpoint = self.endpoint
        plain = replace(self.documented, server=self._server(), client_secret=client_secret, modes=self.modes)
        flow = requested(endpoint, service(endpoint, plain))
        yield flow
        if self.modes == {MTLS: _OPTIONAL, OAUTH2: _OPTIONAL}:
            yield replace(
                flow, name=f"{_BY_TOKEN}{endpoint.name}", client_secret="", modes={**self.modes, MTLS: _DISABLED}
            )

    def _server(self) -> Server:
        endpoint, documented = self.endpoint, self.documented.server
        return replace(
            documented,
            name=endpoint.name,
            host=endpoint.host,
            secret="",
            issuer="",
            subject=endpoint.subject,
            certificate_header=endpoint.certificate_header or product(documented.product).certificate_header,
            certificate_encoding=endpoint.certificate_encoding,
            certificate_in_handshake=not endpoint.certificate_header,
        )

    def cells(self, row: Requirement) -> Iterator[Cells]:
        """The blocks of *row* that the product asks of such a gateway."""
        endpoint, owner = self.endpoint, product(self.documented.server.product)
        header, encoding = endpoint.certificate_header, endpoint.certificate_encoding
        gateway = Gateway(self.documented.name, self.modes, header, endpoint.path, encoding)
        for block in owner.asked(row, gateway):
            yield replace(block, flows=(self.name,))

    def general(self, row: Requirement, block: Cells) -> Iterator[Cells]:
        """*block* of *row*, which holds for any service, on the flows of this gateway of which it holds."""
        if Posture.JWT in block.postures and (by_token := self._by_token()):
            yield replace(block, flows=(by_token,), postures=(Posture.JWT,))
        # Of the classes of certificates exact equality lets none in; of ways around the certificate it says nothing.
        certificate_alone = row.area == "bypass" and Posture.MTLS in block.postures and GOOD not in block.certificates
        if certificate_alone and self.modes[MTLS] == _MANDATORY and not self.endpoint.certificate_header:
            yield replace(block, flows=(self.name,), postures=(Posture.JWT,))

    def _by_token(self) -> str:
        """The flow on which a token decides, whatever else is shown; '' where there is none."""
        mtls, oauth2 = self.modes[MTLS], self.modes[OAUTH2]
        if oauth2 == _MANDATORY or (oauth2 == _OPTIONAL and mtls == _DISABLED):
            return self.name
        return f"{_BY_TOKEN}{self.endpoint.name}" if (mtls, oauth2) == (_OPTIONAL, _OPTIONAL) else ""

    def claim(self, flow: Flow, tokens: Mapping[str, Any]) -> Claim:
        """How *flow* is protected, as the modes say; *tokens* is the target file's section."""
        token = flow.name == self._by_token()
        named = tokens.get("claims", {}) if token else {}
        return Claim(
            flow.name,
            str(self.endpoint.posture),
            str(self.endpoint.path),
            certificate=flow.modes[MTLS] != _DISABLED,
            token=token,
            audience=bool(named.get("aud")),
            issuer=bool(named.get("iss")),
            optional=flow.modes[MTLS] == _OPTIONAL,
        )


def gateways(file: TargetFile, flows: Mapping[str, Flow]) -> dict[str, Asked]:
    """By endpoint, the gateways of *file*; *flows* are those of the catalogue."""
    found = {}
    for endpoint in file.endpoints.values():
        if not endpoint.modes:
            continue
        assumed = product(file.kind).profiles[profile_of(file)]
        modes = {way: assumed[way] if mode == _DEFAULT else mode for way, mode in endpoint.modes.items()}
        same = (flow for flow in flows.values() if flow.server.product == file.kind and dict(flow.modes) == modes)
        found[endpoint.name] = Asked(endpoint, modes, next(same))
    return found


def protected_by(endpoint: Endpoint) -> str:
    """How *endpoint* authenticates its clients, in words."""
    modes = (f"{way} {mode}" for way, mode in endpoint.modes.items())
    return ", ".join(modes) or str(endpoint.posture)


def open_by_design(flow: Flow) -> bool:
    """Whether no way of authentication is on."""
    return bool(flow.modes) and set(flow.modes.values()) == {_DISABLED}


def needs_certificate(endpoint: Endpoint) -> bool:
    """Whether a certificate counts at *endpoint*, a gateway, though a token may do as well."""
    return endpoint.modes.get(MTLS, _DISABLED) != _DISABLED
