"""Every documented installation, by release and platform: no false error or warning, and what is wrong is found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from harness.decode.exported_certificates import collect
from harness.model.finding import Judgement, Severity
from harness.probes import manifests
from harness.products.apic.operations.files import renew, terminate
from harness.products.apic.rules import certificates, lint
from harness.products.rules import Question
from harness.tests import installations
from harness.tests.installations import KUBERNETES, Installation
from harness.writers.runbook import written

NOW = datetime(2026, 11, 26, tzinfo=UTC)
APPLIANCES = ("10.0.5.8", "10.0.8.1", "12.1.0.0")
_CAS = ("ingress-ca", "management-ca", "portal-ca", "analytics-ca")


def question(folder: Path, release: str = "", platform: str = "") -> Question:
    files = manifests.load([str(folder)])
    return Question(files, collect(files), NOW, release, platform)


def serious(judgement: Judgement) -> list[str]:
    found = (each for each in judgement.findings if each.severity is not Severity.NOTE)
    return [f"{each.requirement} {each.object}: {each.message}" for each in found]


@pytest.fixture(params=KUBERNETES, ids=lambda each: each.name)
def here(request: pytest.FixtureRequest) -> Installation:
    found = request.param
    assert isinstance(found, Installation)
    return found


def test_nothing_is_wrong(here: Installation, tmp_path: Path) -> None:
    asked = question(installations.write(here, tmp_path / "files", NOW))
    judgement = lint(asked)
    assert (serious(judgement), judgement.undecided) == ([], {})
    assert judgement.release == here.release and judgement.platform == here.platform
    assert judgement.checked["PKI-16"] > 25 and judgement.checked["PKI-10"] >= 6 and judgement.checked["PKI-11"] > 20
    report = certificates(asked)
    assert "orphan" not in report and "signed by no certificate" not in report


def test_every_ca_has_a_runbook_that_names_what_it_signed(here: Installation, tmp_path: Path) -> None:
    asked = question(installations.write(here, tmp_path / "files", NOW))
    for name in _CAS:
        text = written(renew(asked, here.called(here.row(name))), "text")
        signed = [
            here.called(row) for row in installations.rows(here) if row.issuer in (name, name.replace("-ca", "-issuer"))
        ]
        kept = [each for each in signed if each in text]
        assert signed and kept == signed, set(signed) - set(kept)


def test_a_plan_for_the_flows_that_may_be_terminated(here: Installation, tmp_path: Path) -> None:
    asked = question(installations.write(here, tmp_path / "files", NOW))
    made = terminate(asked, ["management-to-portal", "management-to-api-gateway"])
    assert made.steps.steps and made.states


def test_a_renewed_ingress_ca_is_found_everywhere(here: Installation, tmp_path: Path) -> None:
    folder = installations.write(here, tmp_path / "files", NOW)
    former = {site: yaml.safe_load((folder / (site or "export") / "export.yaml").read_text()) for site in here.sites}
    renewed = installations.write(here, tmp_path / "renewed", NOW)
    name = here.called(here.row("ingress-ca"))
    for site in here.sites:
        file = renewed / (site or "export") / "export.yaml"
        fresh = next(each for each in yaml.safe_load(file.read_text())["items"] if _is(each, name))
        items = [fresh if _is(each, name) else each for each in former[site]["items"]]
        file.write_text(yaml.safe_dump({**former[site], "items": items}))
    found = [each for each in lint(question(renewed)).findings if each.requirement == "PKI-11"]
    under = [row for row in installations.rows(here) if row.issuer == "ingress-issuer"]
    assert len(found) == len(under) * len(here.sites)


def _is(item: dict[str, object], name: str) -> bool:
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    return item["kind"] == "Secret" and metadata["name"] == name


@pytest.mark.parametrize("release", APPLIANCES)
def test_appliances(release: str, tmp_path: Path) -> None:
    asked = question(installations.appliances(tmp_path / "pem", release, NOW), release, "vmware")
    judgement = lint(asked)
    assert (serious(judgement), judgement.undecided) == ([], {})
    assert judgement.checked["PKI-16"] > 10
    report = certificates(asked)
    assert "renewed by hand" in report and "cert-manager" not in report and "orphan" not in report
    assert "apicup certs set --clear" in written(renew(asked, "ingress-ca"), "text")


@pytest.mark.parametrize(("release", "other"), [("10.0.5.8", "10.0.8.1"), ("10.0.8.1", "10.0.5.8")])
def test_the_lifetime_of_the_appliances_ca_is_the_releases(release: str, other: str, tmp_path: Path) -> None:
    asked = question(installations.appliances(tmp_path / "pem", release, NOW), other, "vmware")
    assert {each.requirement for each in lint(asked).findings if each.severity is Severity.WARNING} == {"PKI-1"}


def test_what_files_never_show() -> None:
    files = manifests.load([str(Path(__file__))])
    judgement = lint(Question(files, collect(files), NOW))
    assert "hopproof run" in judgement.not_checked["PKI-17"]
