"""What API Connect's documents require of files: a record per rule, and the judgement of a set of files."""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import UsageError
from harness.model.finding import Judgement
from harness.products.apic.rules import (
    certificate_report,
    chains,
    configuration,
    fronts,
    keys,
    names,
    presence,
    renewals,
    subjects,
    tables,
    trust,
)
from harness.products.apic.rules.profiles import NEWEST, parse, profile_of
from harness.products.apic.rules.view import View
from harness.products.rules import FileRules, Question, Rule, apply

_JWT = "Enable JWT security instead of mTLS"
_NETWORK = "Network requirements for inter-subsystem communication"
_TLS = "API Connect TLS certificates"
_CLI = "apic CLI, gateway-services (public docs)"
_RESOURCES = "no portal, analytics or gateway resource in the files"
_VERIFIERS = "no subsystem in the files has jwksUrl set"
_CERTIFICATES = "no certificate and no Certificate object that the tables know in the files"
_SECRETS = "no certificates (Secrets or PEM files) that the tables know in the files"


_FRONTS = "no Route and no Ingress in front of an endpoint between subsystems in the files"


def _rules() -> tuple[Rule[View], ...]:
    return (
        Rule(
            "FLW-0",
            "Routes and ingresses have TLS on both sides",
            _NETWORK,
            _FRONTS,
            presence.in_front,
            fronts.flw_0,
        ),
        Rule(
            "FLW-3",
            "Routes and ingresses of mTLS flows pass TLS through",
            _JWT,
            f"{_FRONTS} that verifies certificates",
            presence.in_front_of_mtls,
            fronts.flw_3,
        ),
        Rule(
            "FLW-6",
            "Services between subsystems are not for two data centres",
            _NETWORK,
            _VERIFIERS,
            presence.services,
            keys.flw_6,
        ),
        Rule("CFG-1", "mTLS and JWT are not both off", _JWT, _RESOURCES, presence.servers, configuration.cfg_1),
        Rule("CFG-2", "mtlsValidateClient is true or false", _JWT, _RESOURCES, presence.servers, configuration.cfg_2),
        Rule(
            "CFG-6",
            "mTLS from the v5 compatible gateway to analytics stays on",
            _JWT,
            "no v5 compatible gateway beside an analytics resource in the files",
            presence.v5c,
            configuration.cfg_6,
        ),
        Rule(
            "CFG-7",
            "mTLS from the event gateway to analytics stays on",
            _JWT,
            "no event gateway beside an analytics resource in the files",
            presence.events,
            configuration.cfg_7,
        ),
        Rule("CFG-8", "The release knows JWT", _NETWORK, _VERIFIERS, presence.verifiers, keys.cfg_8),
        Rule(
            "CFG-9",
            "dataPowerOverride is complete, and goes with JWT",
            _JWT,
            "no gateway has a dataPowerOverride with an image",
            presence.overrides,
            configuration.cfg_9,
        ),
        Rule(
            "CFG-10",
            "jwksUrl is the platform API's",
            _JWT,
            f"{_VERIFIERS} to an external address",
            presence.external_keys,
            keys.cfg_10,
        ),
        Rule(
            "CFG-11",
            "jwksUrl inside the cluster",
            _JWT,
            f"{_VERIFIERS} to a service",
            presence.service_keys,
            keys.cfg_11,
        ),
        Rule("CFG-12", "The switch has its present name", _NETWORK, _RESOURCES, presence.servers, configuration.cfg_12),
        Rule(
            "CFG-13",
            "No mTLS to the gateway with a top-level resource",
            _NETWORK,
            "no gateway under a top-level APIConnectCluster in the files",
            presence.gateways_below,
            configuration.cfg_13,
        ),
        Rule(
            "CFG-14",
            "Settings stand in the top-level resource",
            _JWT,
            "no resource generated from a top-level APIConnectCluster in the files",
            presence.generated,
            configuration.cfg_14,
        ),
        Rule(
            "CFG-15",
            "New installs with a top-level resource set jwksUrl",
            _JWT,
            "no resource generated from a top-level APIConnectCluster in the files",
            presence.owned,
            configuration.cfg_15,
        ),
        Rule(
            "CFG-16",
            "JWT disabled means mTLS enabled",
            _JWT,
            "no portal or analytics resource has an empty jwksUrl",
            presence.empty_keys,
            configuration.cfg_16,
        ),
        Rule(
            "CFG-17",
            "The gateway sends the token that analytics asks for",
            _CLI,
            "no gateway service registration (apic gateway-services) beside an analytics that verifies JWT only",
            presence.senders,
            keys.cfg_17,
        ),
        Rule(
            "CFG-18",
            "Keys come from a verified server",
            "portal code (public)",
            _VERIFIERS,
            presence.verifiers,
            keys.cfg_18,
        ),
        Rule("PKI-1", "Ten years for CAs, two for the rest", _TLS, _CERTIFICATES, presence.by_itself, tables.pki_1),
        Rule(
            "PKI-2",
            "Certificates are under the CA of the tables",
            _TLS,
            _CERTIFICATES,
            presence.documented,
            tables.pki_2,
        ),
        Rule("PKI-3", "The tables: use, release, legacy", _TLS, _CERTIFICATES, presence.certificates, tables.pki_3),
        Rule(
            "PKI-4",
            "Short, prefixed names with a top-level resource",
            _TLS,
            "no Certificate object beside a top-level APIConnectCluster in the files",
            presence.requests_below,
            tables.pki_4,
        ),
        Rule(
            "PKI-5",
            "The ingestion client is the one that analytics names",
            _TLS,
            "no analytics-ingestion-client beside an analytics resource with clientSubjectDN in the files",
            presence.ingestion_client,
            subjects.pki_5,
        ),
        Rule(
            "PKI-6",
            "The admin client is the one that the portal names",
            _TLS,
            "no portal-admin-client beside a portal resource with adminClientSubjectDN in the files"
            " (12.1's developer portal: devportal-admin-client)",
            presence.admin_client,
            subjects.pki_6,
        ),
        Rule(
            "PKI-7",
            "The gateway's client is under the CA of its manager endpoint",
            _TLS,
            "no gateway that verifies its client, with gateway-client-client, in the files",
            presence.gateway_client,
            renewals.pki_7,
        ),
        Rule(
            "PKI-8",
            "Both data centres have one client subject",
            _TLS,
            "no client subject of two data centres in the files",
            presence.client_subjects,
            renewals.pki_8,
        ),
        Rule(
            "PKI-9",
            "Replication servers carry this data centre's host",
            _TLS,
            "no replication endpoint with its certificate in the files",
            presence.replication,
            names.pki_9,
        ),
        Rule(
            "PKI-10",
            "Required DNS names",
            _TLS,
            "no management-server, analytics-server or portal-server in the files",
            presence.inner_servers,
            names.pki_10,
        ),
        Rule(
            "PKI-11",
            "What a renewed CA signed is renewed",
            _TLS,
            "no certificate together with its CA in the files",
            presence.signed,
            trust.pki_11,
        ),
        Rule(
            "PKI-12",
            "ingress-ca is renewed with what it signed",
            _TLS,
            "ingress-ca is not in the files",
            presence.ingress_ca,
            renewals.pki_12,
        ),
        Rule(
            "PKI-13",
            "What does not restart by itself has been restarted since",
            _TLS,
            "no pod that has to be restarted by hand, with its certificate, in the files",
            presence.pods,
            renewals.pki_13,
        ),
        Rule(
            "PKI-14",
            "One ingress-ca everywhere",
            _TLS,
            "no copy of ingress-ca in the files",
            presence.copies,
            trust.pki_14,
        ),
        Rule("PKI-15", "Customised certificates", _TLS, _CERTIFICATES, presence.for_users, tables.pki_15),
        Rule("PKI-16", "General chain rules (OpenSSL)", "RFC 5280", _SECRETS, presence.chains, chains.pki_16),
        Rule(
            "PKI-18",
            "Management has read renewed certificates into its database",
            _TLS,
            "no apim pod with management's certificates in the files",
            presence.pods,
            renewals.pki_18,
        ),
        Rule(
            "PKI-19",
            "The annotation finds what ingress-ca signed",
            _TLS,
            "no Secret with a certificate that ingress-ca signed, together with ingress-ca, in the files",
            presence.annotated,
            trust.pki_19,
        ),
    )


RULES = _rules()
_LIVE_ONLY = {
    "PKI-17": "what management has sent to the gateways is in no file; hopproof run judges it on servers",
}
SOURCES: Mapping[str, tuple[str, str]] = {rule.requirement: (rule.text, rule.source) for rule in RULES}
_PLATFORM_NAMES = {
    "kubernetes": "Kubernetes",
    "openshift": "OpenShift",
    "cp4i": "Cloud Pak for Integration",
    "vmware": "VMware",
}


def lint(question: Question) -> Judgement:
    """Judge the files of *question*; raises :class:`UsageError` for a release that is none."""
    return _judged(question, View(question))


def certificates(question: Question) -> str:
    """What the certificates of *question* are; raises :class:`UsageError` for a release that is none."""
    view = View(question)
    judgement = _judged(question, view)
    wrong = [finding for finding in judgement.sorted() if finding.requirement.startswith("PKI-")]
    head = [judgement.heading, *(f"Note: {remark}" for remark in judgement.remarks)]
    return "\n".join([*head, certificate_report.report(view, wrong)])


def _judged(question: Question, view: View) -> Judgement:
    judgement = apply(RULES, view, headed(question, view))
    judgement.not_checked.update(_LIVE_ONLY)
    return judgement


def headed(question: Question, view: View) -> Judgement:
    """A judgement that says what *question* is judged as, and nothing else yet; raises :class:`UsageError`."""
    if question.release and not parse(question.release):
        raise UsageError(f"{question.release!r} is not a release", hint="such as --release 10.0.8")
    name = ".".join(map(str, view.release))
    judgement = Judgement(name, view.platform)
    said = "from --release" if question.release else "from the files"
    judgement.heading = f"API Connect {name or 'of an unknown release'}{f' ({said})' if name else ''} on "
    judgement.heading += f"{_PLATFORM_NAMES[view.platform]}{f', top-level {view.tops[0].label}' if view.tops else ''}"
    if view.unknown_kinds:
        judgement.remarks.append(f"no rule judges {', '.join(view.unknown_kinds)}")
    if profile_of(view.release) is None:
        known = f"release {name} is not known" if name else "the files do not say which release they are for"
        judgement.remarks.append(
            f"{known}; judged as {NEWEST.name}, the newest that is."
            f"{'' if question.release else ' Give --release to change that.'}"
        )
    return judgement


FILE_RULES = FileRules(lint, certificates, SOURCES)
