"""PKI-16: what pkilint finds of the certificates in files, and what is said where it is not installed."""

from __future__ import annotations

import pytest
from cryptography import x509

from harness.model.finding import Judgement, Severity
from harness.pki.rfc5280 import Departure, Profile
from harness.products.apic.rules import lint, rfc5280
from harness.tests.exports import Deployment, question

_WARNING = Departure("pkix.some", Severity.WARNING, "it has no authority key identifier; Go refuses it")
_NOTE = Departure("pkix.other", Severity.NOTE, "its key usage is not critical")


def judged(monkeypatch: pytest.MonkeyPatch, *found: Departure) -> Judgement:
    def departures(_self: Profile, _certificate: x509.Certificate) -> list[Departure]:
        return list(found)

    monkeypatch.setattr(rfc5280, "available", lambda: True)
    monkeypatch.setattr(Profile, "departures", departures)
    return lint(question(Deployment().text()))


def test_a_warning_for_each_certificate_and_one_note_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [each for each in judged(monkeypatch, _WARNING, _NOTE).findings if each.requirement == "PKI-16"]
    warned = [each for each in found if each.severity is Severity.WARNING]
    noted = [each for each in found if each.severity is Severity.NOTE]
    assert len({each.object for each in warned}) == len(warned) == 5
    assert "portal-admin departs from RFC 5280" in " ".join(each.message for each in warned)
    assert len(noted) == 1 and "ingress-ca, portal-admin-client" in noted[0].message
    assert all(each.path == "data.tls.crt" and each.line > 1 for each in found)


def test_nothing_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch).findings == []


def test_the_same_certificate_is_looked_at_once_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rfc5280, "MOST", 2)
    judgement = judged(monkeypatch, _WARNING)
    assert len([each for each in judgement.findings if each.requirement == "PKI-16"]) == 2
    assert rfc5280.CUT_SHORT in judgement.remarks


def test_without_pkilint_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rfc5280, "available", lambda: False)
    judgement = lint(question(Deployment().text()))
    assert rfc5280.MISSING in judgement.remarks and judgement.findings == []


def test_without_certificates_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rfc5280, "available", lambda: False)
    deployment = Deployment()
    deployment.objects = {"portal": deployment.objects["portal"]}
    assert rfc5280.MISSING not in lint(question(deployment.text())).remarks
