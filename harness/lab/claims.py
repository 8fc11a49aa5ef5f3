"""What a target file claims of each flow: which credentials the endpoint verifies, and whom its tokens name."""

from __future__ import annotations

from harness.lab.targetfile import TargetFile
from harness.model.catalogue import Flow
from harness.model.claims import Claim
from harness.model.vocabulary import Posture


def claim(file: TargetFile, flow: Flow) -> Claim:
    """The claim of *flow*, whose server's default posture is what *file* declares."""
    endpoint, asks = file.endpoints[flow.server.name], flow.server.default
    token = asks in (Posture.JWT, Posture.BOTH)
    # What the documented product's tokens say is not public, and it is not asked to look.
    named = file.tokens.get("claims", {}) if token and endpoint.generic else {}
    return Claim(
        flow.name,
        str(endpoint.posture),
        str(endpoint.path),
        certificate=asks in (Posture.MTLS, Posture.BOTH),
        token=token,
        audience=bool(named.get("aud")),
        issuer=bool(named.get("iss")),
    )
