"""What the classes of a stimulus need, and which of it the files of a target file's client give."""

from __future__ import annotations

from harness.model.case import Stimulus
from harness.probes.transports import TRANSPORTS
from harness.stimuli.certificates import CERTIFICATE_CLASSES, SECOND
from harness.stimuli.registry import Need
from harness.stimuli.tokens import TOKEN_CLASSES
from harness.targets.file import Client


def needs_of(stimulus: Stimulus) -> frozenset[Need]:
    """What the classes of *stimulus* need."""
    certificate, token = CERTIFICATE_CLASSES[stimulus.certificate], TOKEN_CLASSES[stimulus.token]
    return certificate.needs | token.needs | TRANSPORTS[stimulus.transport].needs


def not_given(stimulus: Stimulus, client: Client | None) -> str:
    """Why a class that needs a certificate of its own to be given cannot be asked for; '' if it can."""
    needs = needs_of(stimulus)
    if Need.OTHER_CA in needs and (client is None or client.other_ca is None):
        return "no other CA of the deployment is given (client.other_ca and other_ca_key)"
    if Need.REVOKED in needs and (client is None or client.revoked is None):
        return "no revoked certificate is given (client.revoked)"
    if stimulus.certificate == SECOND and (client is None or client.second is None):
        return "no second certificate that the server accepts is given (client.second)"
    return ""
