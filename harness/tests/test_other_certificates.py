"""mTLS servers that are not ours, under PKIs that are not cert-manager's: right ones pass, wrong ones are caught."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.model.vocabulary import Depth
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.tests.faulty.other_pki import SPIFFE, Allow, Shape, rows


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


def name_is(shape: Shape) -> Allow:
    der = x509.Name.from_rfc4514_string(shape.subject).public_bytes()
    return lambda tls: der == x509.load_der_x509_certificate(tls.getpeercert(True) or b"").subject.public_bytes()


def uri_is(tls: ssl.SSLSocket) -> bool:
    certificate = tls.getpeercert() or {}
    return ("URI", SPIFFE.value) in certificate.get("subjectAltName", ())


SHAPES: dict[str, dict[str, Any]] = {
    "issuing CA, URI": {},
    "RSA": {"like": rsa.generate_private_key(65537, 2048)},
    "domain components": {"subject": "CN=orders,OU=Services,DC=example,DC=com", "issuing": False, "names": ()},
    "no common name": {"subject": "2.5.4.5=4711,O=Example,C=DE", "names": ()},
    "one part": {"subject": "CN=orders", "issuing": False, "names": ()},
    "no key identifiers": {"ski": False, "issuing": False},
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_right_server_conforms_under_any_pki(pki: Pki, tmp_path: Path, name: str) -> None:
    shape = Shape(tmp_path, pki, **SHAPES[name])
    with shape.served(name_is(shape)) as port:
        run = shape.judge(port, subject=shape.subject)
    assert run.status == 0, run.trouble
    assert rows(run, "FAIL") | rows(run, "WRONG_REASON") | rows(run, "HARNESS_ERROR") == set()
    assert len(rows(run, "UNOBSERVED")) <= 3
    assert {"id-cn-only-match", "v-expired-leaf", "ca-leaf-issues-leaf", "ta-other-ca", "nc-dn"} <= rows(run, "PASS")


def test_a_client_that_is_known_by_its_uri(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served(uri_is) as port:
        run = shape.judge(port)
    assert run.status == 0, run.trouble
    assert {row["outcome"] for row in run.rows} == {"PASS"}


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        (lambda _: True, "id-cn-only-match"),
        (
            lambda tls: dict(part[0] for part in tls.getpeercert()["subject"])["commonName"] == "orders",
            "id-cn-only-match",
        ),
    ],
)
def test_a_subject_that_is_not_compared_is_found_at_quick_depth(
    pki: Pki, tmp_path: Path, wrong: Allow, broken: str
) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served(wrong) as port:
        run = shape.judge(port, Depth.QUICK, subject=shape.subject)
    assert run.status == 1
    assert broken in rows(run, "FAIL", "MUST")


def test_a_second_ca_that_is_trusted_is_found_at_quick_depth(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served(change=lambda context: context.load_verify_locations(tmp_path / "other.pem")) as port:
        run = shape.judge(port, Depth.QUICK)
    assert run.status == 1
    assert rows(run, "FAIL") == {"ta-other-ca"}


def test_a_revoked_client(pki: Pki, tmp_path: Path) -> None:
    def with_lists(context: ssl.SSLContext) -> None:
        context.load_verify_locations(tmp_path / "crl.pem")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN

    shape = Shape(tmp_path, pki)
    client = {"revoked": {"certificate": "revoked.pem", "key": "revoked.key"}}
    with shape.served() as port:
        blind = shape.judge(port, Depth.QUICK, client=client)
    assert blind.status == 1
    assert rows(blind, "FAIL", "MUST") == {"tls-crl-revoked"}
    with shape.served(change=with_lists) as port:
        right = shape.judge(port, client=client)
    assert right.status == 0, right.trouble
    assert "tls-crl-revoked" in rows(right, "PASS")
    # A CA that we make has no CRL: what is below it is refused for that, and shows nothing else.
    assert rows(right, "FAIL") == {"via-intermediate"}
    assert {"ca-false", "pathlen-0", "nc-dns", "nc-dn-inside"} <= rows(right, "UNOBSERVED")


def test_the_ca_may_be_an_intermediate_or_the_root_above(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki)
    with shape.served() as port:
        for ca in ({"ca": "root.pem"}, {"ca": "root.pem", "ca_key": "root.key"}):
            run = shape.judge(port, Depth.QUICK, client=ca)
            assert run.status == 0, run.trouble
            assert {row["outcome"] for row in run.rows} == {"PASS"}


def test_an_issuing_ca_that_may_have_no_ca_below_it(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki, path_length=0)
    with shape.served() as port:
        run = shape.judge(port)
    assert run.status == 0, run.trouble
    assert {row["outcome"] for row in run.rows} == {"PASS"}
    assert {"ca-leaf-issues-leaf", "pathlen-0", "v-expired-leaf"} <= rows(run, "PASS")
    message = "the client's CA may have no further CA below it (path length)"
    withheld = {item.case.stimulus.id for item in run._withheld if item.reason == message}
    assert {"via-intermediate", "ca-false", "nc-dn", "v-expired-ica"} <= withheld


def test_an_issuing_ca_that_may_have_one_ca_below_it(pki: Pki, tmp_path: Path) -> None:
    shape = Shape(tmp_path, pki, path_length=1)
    with shape.served() as port:
        run = shape.judge(port)
    assert run.status == 0, run.trouble
    assert {row["outcome"] for row in run.rows} == {"PASS"}
    assert {"via-intermediate", "ca-false", "pathlen-0"} <= rows(run, "PASS")
    assert "pathlen-1" not in rows(run, "PASS")
