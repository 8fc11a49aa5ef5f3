"""Faults in the verification of client certificates and their subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.subsystems.faults.registry import fault
from harness.subsystems.server.certificates import (
    BAD_SIGNATURE,
    NOT_A_CA,
    OUT_OF_VALIDITY,
    REVOKED,
    UNTRUSTED_ISSUER,
    WRONG_PURPOSE,
)
from harness.subsystems.server.distinguished_name import rdn_sequence
from harness.subsystems.server.kind import NAMES_ITS_CLIENT, VERIFIES_CLIENTS
from harness.subsystems.server.policy import CertificateProblem, Demand, Protection, ServerPolicy

MTLS = (VERIFIES_CLIENTS,)
NAMED = (NAMES_ITS_CLIENT,)


def _forgiving(rules: ServerPolicy, also: Callable[[CertificateProblem], bool]) -> ServerPolicy:
    return replace(rules, tolerates=lambda problem: also(problem) or rules.tolerates(problem))


def _instead_of_required(rules: ServerPolicy, demand: Demand) -> ServerPolicy:
    def lenient(protection: Protection) -> Demand:
        asked = rules.demand(protection)
        return demand if asked is Demand.REQUIRED else asked

    return replace(rules, demand=lenient)


@fault(
    "requests-but-does-not-require",
    on=MTLS,
    implies=(
        "BYP-*",
        "CFG-12",
        "PKI-*",
        "JWT-14",
        "STS-14",
        "CFG-5",
        "FLW-2",
        "FLW-3",
    ),
)
def requests_but_does_not_require(rules: ServerPolicy) -> ServerPolicy:
    """requests a client certificate but serves clients without one"""
    return _instead_of_required(rules, Demand.OPTIONAL)


@fault(
    "accepts-no-client-certificate",
    on=MTLS,
    implies=(
        "BYP-*",
        "CFG-12",
        "PKI-*",
        "JWT-14",
        "STS-14",
        "CFG-2",
        "CFG-5",
        "FLW-2",
        "requests-but-does-not-require",
        "trusts-any-ca",
        "trusts-ca-by-name",
        "ignores-certificate-validity",
        "ignores-extended-key-usage",
        "accepts-leaf-as-ca",
        "ignores-subject-dn",
    ),
)
def accepts_no_client_certificate(rules: ServerPolicy) -> ServerPolicy:
    """never requests a client certificate although mtlsValidateClient is on"""
    return _instead_of_required(rules, Demand.NOTHING)


@fault("trusts-any-ca", on=MTLS, implies=("trusts-ca-by-name", "CFG-2", "STS-14"))
def trusts_any_ca(rules: ServerPolicy) -> ServerPolicy:
    """accepts client certificates from any issuer"""
    return _forgiving(rules, lambda problem: problem.errno in UNTRUSTED_ISSUER | {BAD_SIGNATURE})


@fault("trusts-ca-by-name", on=MTLS)
def trusts_ca_by_name(rules: ServerPolicy) -> ServerPolicy:
    """accepts an issuer that has the CA's name but not its key"""

    def same_issuer_name(problem: CertificateProblem) -> bool:
        names = {authority.subject for authority in problem.authorities}
        return problem.errno in UNTRUSTED_ISSUER | {BAD_SIGNATURE} and problem.certificate.issuer in names

    return _forgiving(rules, same_issuer_name)


@fault("ignores-certificate-validity", on=MTLS)
def ignores_certificate_validity(rules: ServerPolicy) -> ServerPolicy:
    """accepts client certificates that have expired or are not yet valid"""
    return _forgiving(rules, lambda problem: problem.errno in OUT_OF_VALIDITY)


@fault("ignores-revocation", on=MTLS)
def ignores_revocation(rules: ServerPolicy) -> ServerPolicy:
    """accepts client certificates that their CA has revoked"""
    return _forgiving(rules, lambda problem: problem.errno == REVOKED)


@fault("ignores-extended-key-usage", on=MTLS)
def ignores_extended_key_usage(rules: ServerPolicy) -> ServerPolicy:
    """accepts certificates without extended key usage for TLS clients"""
    return _forgiving(rules, lambda problem: problem.errno == WRONG_PURPOSE)


@fault("accepts-leaf-as-ca", on=MTLS)
def accepts_leaf_as_ca(rules: ServerPolicy) -> ServerPolicy:
    """accepts a chain in which a certificate that is not a CA has issued another"""
    return _forgiving(
        rules, lambda problem: problem.errno in NOT_A_CA or (problem.errno == WRONG_PURPOSE and problem.depth > 0)
    )


@fault("ignores-subject-dn", on=NAMED, implies=("compares-cn-only", "compares-dn-as-set"))
def ignores_subject_dn(rules: ServerPolicy) -> ServerPolicy:
    """accepts every client with a certificate from the CA, whatever its subject"""
    return replace(rules, same_subject=lambda left, right: True)


@fault("compares-cn-only", on=NAMED)
def compares_cn_only(rules: ServerPolicy) -> ServerPolicy:
    """compares only the common name of the client's subject"""

    def same_common_name(left: x509.Name, right: x509.Name) -> bool:
        first, second = (name.get_attributes_for_oid(NameOID.COMMON_NAME) for name in (left, right))
        return bool(first) and [item.value for item in first] == [item.value for item in second]

    return replace(rules, same_subject=same_common_name)


@fault("compares-dn-as-set", on=NAMED)
def compares_dn_as_set(rules: ServerPolicy) -> ServerPolicy:
    """compares the client's subject without regard to the order of its RDNs"""
    return replace(rules, same_subject=lambda left, right: set(rdn_sequence(left)) == set(rdn_sequence(right)))
