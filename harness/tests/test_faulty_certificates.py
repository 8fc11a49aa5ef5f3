"""mTLS servers of others that get one thing wrong: each class of certificate bites where exactly its fault is."""

from __future__ import annotations

import pytest
from cryptography import x509

from harness.catalogue.registry import catalogue
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.run.run import Run
from harness.tests.builders import SECOND
from harness.tests.faulty import chains, subjects
from harness.tests.faulty.certificates import Server, serving
from harness.tests.faulty.other_pki import Shape, rows


def _named(classes: str) -> frozenset[str]:
    return frozenset(classes.split())


# Server, classes of certificate that it treats wrongly: all of those, and no other.
CAUGHT: tuple[tuple[type[Server], frozenset[str]], ...] = (
    (chains.Optional, _named("tls-no-cert")),
    (chains.UnknownIssuer, _named("ta-missing-ica ta-other-ca ta-unknown-ca")),
    (chains.SelfSigned, _named("ta-selfsigned-leaf")),
    (chains.AnyOfTheChain, _named("ta-leaf-not-first")),
    (chains.RootSent, _named("ta-shipped-root")),
    (chains.IssuerByName, _named("ta-alg-chain-broken ta-same-name-other-key")),
    (chains.Expired, _named("v-expired-leaf")),
    (chains.NotYet, _named("v-notyet-leaf")),
    (chains.ExpiredIssuer, _named("v-expired-ica")),
    (chains.ForAnything, _named("eku-other eku-server-only")),
    (chains.ServersToo, _named("eku-server-only")),
    (chains.KeyUsageUnread, _named("ku-certsign-leaf ku-no-digsig")),
    (chains.WeakKey, _named("k-rsa-weak")),
    (chains.AnyIssuer, _named("ca-false ca-leaf-issues-leaf ca-no-bc eku-on-ica ku-no-certsign")),
    (chains.NoConstraintsNeeded, _named("ca-no-bc")),
    (chains.CaFalse, _named("ca-false")),
    (chains.IssuingLeaf, _named("ca-leaf-issues-leaf")),
    (chains.IssuerMayNotSign, _named("ku-no-certsign")),
    (chains.IssuerForServers, _named("eku-on-ica")),
    (chains.AnyDepth, _named("pathlen-0")),
    (chains.AnyName, _named("nc-dn nc-dns")),
    (chains.AnyDirectoryName, _named("nc-dn")),
    (chains.CriticalUnknown, _named("ext-unknown-critical")),
    (chains.CriticalUnknownInIssuer, _named("ext-unknown-critical-ica")),
    (chains.Forgiving, _named("tls-crl-revoked")),
    (chains.DirectOnly, _named("via-intermediate")),
    (chains.InOrder, _named("ta-ica-out-of-order")),
    (chains.OneLess, _named("pathlen-1")),
    (chains.NoNameConstraints, _named("nc-dn-inside nc-dns-inside")),
    (chains.PurposeNeeded, _named("eku-absent")),
    (chains.ClientsOnly, _named("eku-both")),
    (chains.KnownExtensionsOnly, _named("ext-unknown-noncritical")),
    (
        subjects.NotCompared,
        _named(
            "id-cn-injection id-cn-only-match id-empty-subject id-extra-rdn id-missing-rdn id-multiple-cn "
            "id-multivalued id-oid-in-value id-other-client id-prefixed id-rdn-order id-san-only id-unicode"
        ),
    ),
    (subjects.CommonNameOnly, _named("id-cn-only-match id-extra-rdn id-missing-rdn id-multivalued id-rdn-order")),
    (subjects.AnyCommonName, _named("id-multiple-cn id-multivalued")),
    (subjects.PartOfCommonName, _named("id-multivalued id-other-client")),
    (subjects.EndOfCommonName, _named("id-multiple-cn id-multivalued id-prefixed")),
    (subjects.SomeParts, _named("id-empty-subject id-missing-rdn id-multivalued id-rdn-order")),
    (subjects.PartsAmong, _named("id-extra-rdn id-multiple-cn id-multivalued id-rdn-order")),
    (subjects.AnyOrder, _named("id-rdn-order")),
    (subjects.Flattened, _named("id-multivalued id-rdn-order")),
    (subjects.LastOfEach, _named("id-multiple-cn id-multivalued id-rdn-order")),
    (subjects.Unescaped, _named("id-cn-injection")),
    (subjects.ValuesOnly, _named("id-oid-in-value")),
    (subjects.AlternativeName, _named("id-san-only")),
    (subjects.Folded, _named("id-unicode")),
    (subjects.NobodyNamed, _named("id-empty-subject")),
)


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    return Shape(tmp_path_factory.mktemp("pki"), Pki.create(reference().pki))


def judged(shape: Shape, kind: type[Server]) -> Run:
    """What Hopproof says of a server of this *kind*, at full depth."""
    server = kind(x509.Name.from_rfc4514_string(shape.subject), {shape.revoked.certificate.serial_number})
    client = {"revoked": {"certificate": "revoked.pem", "key": "revoked.key"}}
    with serving(server, shape.folder) as port:
        return shape.judge(port, client=client, subject=shape.subject)


def test_a_right_server_passes_with_every_class(shape: Shape) -> None:
    run = judged(shape, Server)
    assert {row["outcome"] for row in run.rows} == {"PASS"}, rows(run, "FAIL") | rows(run, "UNOBSERVED")


@pytest.mark.parametrize(("kind", "classes"), CAUGHT, ids=[kind.__name__ for kind, _ in CAUGHT])
def test_a_fault_is_caught(shape: Shape, kind: type[Server], classes: frozenset[str]) -> None:
    run = judged(shape, kind)
    found = {row["stimulus"].partition("+")[0] for row in run.rows if row["outcome"] == "FAIL"}
    assert found == classes, {row["stimulus"]: row["reason"] for row in run.rows if row["outcome"] == "FAIL"}


def test_every_class_is_treated_wrongly_somewhere() -> None:
    """A stimulus that no fault lets in proves nothing by being refused, nor a right one by being served."""
    asked = {row.name for row in catalogue().classes.values() if row.kind == "certificate"}
    # Asked of the products' own flows alone, whose faults the kill matrix shows.
    of_a_product = {"id-unregistered-dn", "ren-leaf-new-key", "id-reissued", SECOND}
    assert asked - of_a_product == frozenset().union(*(classes for _, classes in CAUGHT))
