"""What an APK gateway makes of headers, sources and certificates, decision by decision; its faults are real ones."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.catalogue.registry import FAULTS, catalogue
from harness.errors import UsageError
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.subsystems.apk.configuration import Api, Mode, Profile, Settings, Written, certificate, read, sources
from harness.subsystems.apk.faults.symptoms import SYMPTOMS
from harness.subsystems.apk.policy import (
    GatewayPolicy,
    decoded,
    default_mode,
    header_value,
    mtls_part,
    path_is_valid,
    read_header,
    same_certificate,
    used_sources,
)
from harness.subsystems.server.rejection import Rejected

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


@pytest.fixture(scope="module")
def own(pki: Pki) -> x509.Certificate:
    return pki.secrets["apk-employee-client"].certificate


def content(one: x509.Certificate) -> str:
    return base64.b64encode(one.public_bytes(Encoding.DER)).decode()


def settings(**how: object) -> Settings:
    usual = {"profile": Profile.CODE, "header": "X-Cert", "encoded": False, "outbound": False, "full_path": False}
    return Settings(**{**usual, "apis": (), **how})  # type: ignore[arg-type]


def test_pem_counts_on_one_line_and_with_blanks(own: x509.Certificate) -> None:
    text = content(own)
    folded = " ".join(text[at : at + 64] for at in range(0, len(text), 64))
    for value in (f"{BEGIN}{text}{END}", f"{BEGIN} {folded} {END}", own.public_bytes(Encoding.PEM).decode()):
        assert read_header(value) == own


@pytest.mark.parametrize("value", ["", "not a certificate", BEGIN, END, f"{END}{BEGIN}"])
def test_without_both_markers_there_is_none(value: str) -> None:
    assert read_header(value) is None


def test_base64_alone_is_none(own: x509.Certificate) -> None:
    assert read_header(content(own)) is None


def test_what_is_cut_is_refused(own: x509.Certificate) -> None:
    for inside in (content(own)[: len(content(own)) // 8 * 4], "bm90IGEgY2VydGlmaWNhdGU=", "%%%"):
        with pytest.raises(Rejected):
            read_header(f"{BEGIN}{inside}{END}")


def test_url_decoding_is_for_whom_it_is_configured(own: x509.Certificate) -> None:
    escaped = quote(own.public_bytes(Encoding.PEM).decode(), safe="")
    assert read_header(decoded(escaped, settings(encoded=True))) == own
    assert read_header(decoded(escaped, settings())) is None
    # A plus sign of plain PEM becomes a blank there: the hazard that APK's documentation does not name.
    assert decoded("a+b", settings(encoded=True)) == "a b" and decoded("a+b", settings()) == "a+b"


def test_the_configured_header_alone_is_read() -> None:
    assert header_value({"x-cert": "it", "x-wso2-client-certificate": "other"}, settings()) == "it"
    assert header_value({"x-wso2-client-certificate": "other"}, settings()) == ""


def test_trust_is_in_the_certificate_itself(pki: Pki, own: x509.Certificate) -> None:
    other = pki.secrets["apk-employee-client-2"].certificate
    assert same_certificate(own, (other, own)) and not same_certificate(own, (other,))
    ca = pki.issuer("apk-employee-client").certificate
    assert not same_certificate(own, (ca,)) and path_is_valid(own, (ca,)) and not path_is_valid(own, (other,))


def test_the_profiles_differ() -> None:
    assert (default_mode(Profile.DOCUMENT), default_mode(Profile.CODE)) == (Mode.MANDATORY, Mode.OPTIONAL)
    lists = (("inline",), ("map",), ("secret",))
    assert used_sources(Profile.CODE, lists) == ("inline",) and len(used_sources(Profile.DOCUMENT, lists)) == 3
    misplaced = Api("a", "/a", documented=Written("mandatory"))
    assert mtls_part(Profile.CODE, misplaced) is None and mtls_part(Profile.DOCUMENT, misplaced) == Written("mandatory")


def test_first_the_certificate_then_the_token() -> None:
    policy = GatewayPolicy()
    assert policy.goes_on(Mode.MANDATORY, Mode.MANDATORY) and not policy.goes_on(Mode.MANDATORY, Mode.OPTIONAL)
    assert policy.wrong_stops(Mode.OPTIONAL) and policy.missing_stops(True)
    assert policy.alone(Mode.DISABLED, Mode.DISABLED) and not policy.alone(Mode.OPTIONAL, Mode.DISABLED)
    assert (policy.code, policy.gateway_status) == ("900901", 401) and 'Mutual SSL realm="APK"' in policy.challenge


def written(tmp_path: Path, *objects: object) -> Path:
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump_all([{"spec": {}}, *objects]), "utf-8")
    return file


def conf(**mtls: object) -> dict[str, object]:
    return {"id": "a", "basePath": "/a", "version": "1", "authentication": [{"authType": "mTLS", **mtls}]}


def test_an_api_that_apk_would_not_deploy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="909029"):
        read(written(tmp_path, conf(required="mandatory")))
    resource = {
        "kind": "Authentication",
        "metadata": {"name": "r"},
        "spec": {"default": {"authTypes": {"mtls": {}}}, "targetRef": {"name": "a"}},
    }
    with pytest.raises(UsageError, match="certificates not provided"):
        read(written(tmp_path, conf(certificates=[{"name": "c", "key": "k"}]), resource))


def test_a_reference_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    found = read(written(tmp_path, conf(certificates=[{"name": "c", "key": "k"}])))
    assert found.apis[0].written is not None
    with pytest.raises(UsageError, match="no ConfigMap 'c' with the key 'k'"):
        sources(found.apis[0].written, found)


def test_a_secret_that_is_not_base64_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not Base64"):
        read(written(tmp_path, {"kind": "Secret", "metadata": {"name": "s"}, "data": {"tls.crt": "%"}}))


def test_the_first_certificate_of_an_entry_counts(pki: Pki, own: x509.Certificate) -> None:
    other = pki.secrets["apk-employee-client-2"].certificate
    both = own.public_bytes(Encoding.PEM) + other.public_bytes(Encoding.PEM)
    assert certificate(both.decode()) == own
    with pytest.raises(UsageError, match="cannot be read"):
        certificate(f"{BEGIN}\nMIID\n{END}")


def test_symptoms_are_of_faults_and_of_rows() -> None:
    rows = {row.id for row in catalogue().requirements}
    assert SYMPTOMS.keys() <= set(FAULTS) and {row for named in SYMPTOMS.values() for row in named} <= rows
    for name in SYMPTOMS:
        about = {row.id for row in catalogue().requirements if name in row.faults}
        assert about.isdisjoint(SYMPTOMS[name]) and FAULTS[name].implies == SYMPTOMS[name]


def test_no_fault_hides_behind_a_pattern() -> None:
    of_gateways = [fault for fault in FAULTS.values() if "apk-gateway" in fault.on]
    assert len(of_gateways) > 40
    assert [fault.name for fault in of_gateways if any("*" in implied for implied in fault.implies)] == []
