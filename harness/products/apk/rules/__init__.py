"""What APK's documents and schemas require of files: a record per rule, and the judgement of a set of files."""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import UsageError
from harness.model.finding import Judgement
from harness.model.resource import Files
from harness.products.apk.exports import FAULTS, REFERENCE
from harness.products.apk.rules import certificates, configuration, presence
from harness.products.apk.rules.report import report
from harness.products.apk.rules.view import GROUP, View, is_conf, parse
from harness.products.apk.target import PROFILES
from harness.products.rules import FileRules, Question, Rule, apply

_PAGE, _CONF, _CRD = "WSO2 APK: mTLS Authentication", "apk-schema.json (1.2.0)", "Authentication CRD (1.2.0)"
_NONE = "no apk-conf or Authentication resource with mTLS in the files"
_ANY = "no apk-conf with authentication and no Authentication resource in the files"
_RESOURCES = "no Authentication resource with mTLS in the files"
_NAMED = "no certificate that mTLS names in the files"

RULES: tuple[Rule[View], ...] = (
    Rule(
        "APK-1-CERTIFICATES",
        "mTLS names certificates",
        _CONF,
        _NONE,
        presence.mtls,
        certificates.named,
    ),
    Rule(
        "APK-1-REFERENCE",
        "References lead to certificates",
        _PAGE,
        _NAMED,
        presence.references,
        certificates.references,
    ),
    Rule(
        "APK-1-PEM",
        "Certificates are PEM",
        _PAGE,
        _NAMED,
        presence.certificates,
        certificates.pem,
    ),
    Rule(
        "APK-1-AUTHTYPE",
        "Kinds of authentication are known",
        _CONF,
        _ANY,
        presence.parts,
        configuration.auth_types,
    ),
    Rule(
        "APK-1-REQUIRED",
        "Fields and modes are spelt right",
        _CONF,
        _ANY,
        presence.parts,
        configuration.fields,
    ),
    Rule(
        "APK-1-SOURCE",
        "apk-conf files name ConfigMaps",
        _PAGE,
        "no apk-conf with mTLS in the files",
        presence.conf_mtls,
        configuration.sources_of_conf,
    ),
    Rule(
        "APK-1-EXPLICIT",
        "mTLS says whether it is mandatory",
        _PAGE,
        _NONE,
        presence.mtls,
        configuration.explicit,
    ),
    Rule(
        "APK-1-RELEASE",
        "The release has mTLS",
        "wso2/apk 8b0b67c0 (1.3.0)",
        _NONE,
        presence.mtls,
        configuration.release,
    ),
    Rule(
        "APK-6-TARGET",
        "Resources name a target",
        _CRD,
        "no Authentication resource in the files",
        presence.resources,
        configuration.target,
    ),
    Rule(
        "APK-6-KIND",
        "mTLS is for APIs",
        f"{_CRD}, webhook",
        _RESOURCES,
        presence.resource_mtls_on,
        configuration.kind_of_target,
    ),
    Rule(
        "APK-6-PLACE",
        "mTLS stands under authTypes",
        _CRD,
        _RESOURCES,
        presence.resource_mtls,
        configuration.place,
    ),
    Rule(
        "APK-6-SOURCES",
        "One source of certificates",
        "adapter (1.2.0)",
        _RESOURCES,
        presence.resource_mtls_on,
        configuration.several,
    ),
)
SOURCES: Mapping[str, tuple[str, str]] = {rule.requirement: (rule.text, rule.source) for rule in RULES}


def lint(question: Question) -> Judgement:
    """Judge the files of *question*; raises :class:`UsageError` for a release or a profile that is none."""
    view = _viewed(question)
    name = ".".join(map(str, view.release))
    judgement = Judgement(name, question.platform)
    said = "from --release" if question.release else "from the files"
    judgement.heading = f"WSO2 APK {f'{name} ({said})' if name else 'of an unknown release'}, profile {view.profile}"
    return apply(RULES, view, judgement)


def certificates_of(question: Question) -> str:
    """Whom each API trusts; raises :class:`UsageError` as :func:`lint` does."""
    return report(_viewed(question))


def _viewed(question: Question) -> View:
    if question.release and not parse(question.release):
        raise UsageError(f"{question.release!r} is not a release", hint="such as --release 1.2.0")
    if question.profile and question.profile not in PROFILES:
        raise UsageError(f"unknown profile {question.profile!r}", hint=f"one of {', '.join(PROFILES)}")
    return View(question)


def concerns(files: Files) -> bool:
    """Whether *files* are APK's."""
    return any(is_conf(each) or each.group == GROUP for each in files.resources)


_JUDGES = "apk-conf files, and Authentication and API resources (kubectl get authentications,apis -A -o yaml)"
FILE_RULES = FileRules(
    lint, certificates_of, SOURCES, reference=REFERENCE, faults=FAULTS, concerns=concerns, judges=_JUDGES
)
