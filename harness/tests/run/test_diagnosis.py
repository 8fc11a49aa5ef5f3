"""What a server behaves like: the matching, on rows made by hand; the signatures that travel, and the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from harness.catalogue.registry import FAULTS, catalogue
from harness.model.catalogue import Cells, Requirement
from harness.model.record import Row
from harness.model.vocabulary import Path
from harness.products.product import Gateway, Product
from harness.products.registry import product
from harness.run import diagnosis
from harness.run.diagnosis import Signature, diagnose, remedies, signatures
from harness.targets.exchange_cases import SCRIPTS
from harness.tests.builders import row
from tools.fault_signatures import SignatureRecorder, signature_recorder, visible

AUDIENCE = dict.fromkeys(("aud-wrong", "aud-missing", "aud-case", "aud-joined"), "accepted")
LOOSE = dict.fromkeys(("aud-case", "aud-joined"), "accepted")
KNOWN: Mapping[str, Signature] = {
    "ignores-audience": {"jwt": {"STS-5": AUDIENCE}},
    "compares-audience-loosely": {"jwt": {"STS-5": LOOSE}},
    "ignores-expiry": {"jwt": {"JWT-13-TIME": {"exp-past": "accepted"}}},
    "answers-403-for-token": {"jwt": {"JWT-13-TIME": {"exp-past": "other-status"}}},
    "trusts-any-ca": {"mtls": {"PKI-16": {"ta-unknown-ca": "accepted"}}},
    "accepts-no-client-certificate": {
        "mtls": {"PKI-16": {"ta-unknown-ca": "accepted"}, "P": {"tls-no-cert": "accepted"}}
    },
}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "signatures", lambda: KNOWN)


def rows(requirement: str, posture: str = "jwt", **outcomes: str) -> list[Row]:
    broken = {"accepted": "FAIL", "server-error": "FAIL", "other-status": "WRONG_REASON"}
    return [
        row(
            outcome=broken.get(message, message),
            flow="f",
            posture=posture,
            requirement=requirement,
            stimulus=name.replace("_", "-"),
            reason_code=message,
        )
        for name, message in outcomes.items()
    ]


def named(found: list[Row]) -> list[tuple[tuple[str, ...], int, int]]:
    return [(one.faults, one.seen, one.of) for one in diagnose(found)]


@pytest.mark.usefixtures("known")
class TestMatching:
    def test_the_one_that_explains_all(self) -> None:
        found = rows("STS-5", aud_wrong="accepted", aud_missing="accepted", aud_case="accepted", aud_joined="accepted")
        assert named(found) == [(("ignores-audience",), 4, 4)]

    def test_a_smaller_fault_is_not_taken_for_a_larger_one(self) -> None:
        found = rows("STS-5", aud_wrong="PASS", aud_missing="PASS", aud_case="accepted", aud_joined="accepted")
        assert named(found) == [(("compares-audience-loosely",), 2, 2)]

    def test_only_what_was_judged_counts(self) -> None:
        unseen = rows("STS-5", aud_missing="UNOBSERVED", aud_joined="UNOBSERVED")
        found = rows("STS-5", aud_wrong="accepted", aud_case="accepted") + unseen
        assert named(found) == [(("ignores-audience",), 2, 2)]

    def test_one_that_fits_in_part(self) -> None:
        found = rows("STS-5", aud_wrong="accepted", aud_missing="PASS", aud_case="accepted", aud_joined="accepted")
        assert named(found)[0] == (("compares-audience-loosely",), 2, 2)
        assert named(found)[1] == (("ignores-audience",), 3, 4)

    def test_two_faults(self) -> None:
        found = rows("STS-5", aud_case="accepted", aud_joined="accepted", aud_wrong="PASS")
        assert {one[0] for one in named(found + rows("JWT-13-TIME", exp_past="accepted"))} == {
            ("compares-audience-loosely",),
            ("ignores-expiry",),
        }

    def test_the_reason_must_be_the_same(self) -> None:
        assert named(rows("JWT-13-TIME", exp_past="other-status")) == [(("answers-403-for-token",), 1, 1)]
        assert named(rows("JWT-13-TIME", exp_past="server-error")) == []

    def test_those_that_cannot_be_distinguished(self) -> None:
        found = rows("PKI-16", posture="mtls", ta_unknown_ca="accepted")
        assert named(found) == [(("trusts-any-ca", "accepts-no-client-certificate"), 1, 1)]

    def test_modes_tell_more_than_a_posture(self, monkeypatch: pytest.MonkeyPatch) -> None:
        modes = "mTLS mandatory, OAuth2 optional"
        own: Mapping[str, Signature] = {"gateway-mtls-off": {modes: {"APK-2": {"tls-no-cert": "accepted"}}}}
        monkeypatch.setattr(diagnosis, "signatures", lambda: own)
        found = rows("APK-2", tls_no_cert="accepted")
        assert named(found) == []
        for each in found:
            each["modes"] = modes
        assert named(found) == [(("gateway-mtls-off",), 1, 1)]

    def test_another_posture_is_another_server(self) -> None:
        assert named(rows("PKI-16", posture="jwt", ta_unknown_ca="accepted")) == []

    def test_nothing_wrong_and_nothing_known(self) -> None:
        assert named(rows("STS-5", aud_wrong="PASS")) == []
        assert named(rows("ELSE", aud_wrong="accepted")) == []


def test_every_signature_is_of_a_fault_and_has_a_remedy() -> None:
    assert set(signatures()) == set(remedies()) <= set(FAULTS)
    assert all(text.strip() for text in remedies().values())


def _names(block: Cells) -> tuple[str, ...]:
    return *block.certificates, *block.tokens, *block.transports


def of_gateways(row: Requirement) -> list[Cells]:
    """The blocks of *row* as they are asked of somebody's gateway, in each combination of modes."""
    flows = [flow for flow in catalogue().flows.values() if flow.modes]
    gateways = [
        Gateway(flow.name, flow.modes, header, path)
        for flow in flows
        for header, path in ((flow.server.certificate_header, Path.DIRECT), ("", Path.TERMINATING))
    ]
    return [block for gateway in gateways for block in reference_of(row).asked(row, gateway)]


def reference_of(row: Requirement) -> Product:
    """The product whose documents *row* is of, as far as its gateways are asked."""
    return product("apk" if row.area == "apk" else "apic")


def test_every_case_of_a_signature_is_in_the_catalogue() -> None:
    cells = {row.id: {name for block in (*row.cells, *of_gateways(row)) for name in _names(block)}
             for row in catalogue().requirements}  # fmt: skip
    for requirement, (transport, _) in SCRIPTS.items():
        cells[requirement].add(transport)
    for signature in signatures().values():
        for requirements in signature.values():
            for requirement, stimuli in requirements.items():
                assert {part for name in stimuli for part in name.split("+")} <= cells[requirement]


@pytest.fixture(scope="module")
def recorder() -> Iterator[SignatureRecorder]:
    with signature_recorder() as found:
        yield found


@pytest.mark.parametrize(
    "name", ["ignores-audience", "trusts-any-ca", "accepts-query-token", "gateway-trusts-same-key"]
)
def test_signatures_are_as_the_reference_shows_them(recorder: SignatureRecorder, name: str) -> None:
    (fault,) = (fault for fault in visible() if fault.name == name)
    assert recorder.signature(fault) == signatures()[name]


def test_the_reference_has_no_signature(recorder: SignatureRecorder) -> None:
    (fault,) = (fault for fault in visible() if fault.name == "fetches-keys-per-request")
    assert recorder.signature(fault) == {}
