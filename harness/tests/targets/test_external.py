"""A target file against our own reference server, which here plays somebody else's: everything from the outside."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.catalogue.registry import catalogue
from harness.cli import main
from harness.config import Options
from harness.errors import UsageError
from harness.lab.reference import ReferenceLab
from harness.model.case import Case, Stimulus
from harness.model.claims import Answer
from harness.model.vocabulary import Depth, Posture
from harness.pki.keys import key_pem
from harness.run.run import Run
from harness.stimuli.factory import Stimuli
from harness.stimuli.tokens import HeldTokenIssuer
from harness.targets.deployment import Deployment
from harness.targets.external import Pace
from harness.tests.places import CLAIMS, SUBJECT, Place, of, outcomes


@pytest.fixture
def place(lab: ReferenceLab, tmp_path: Path) -> Place:
    return Place(lab, tmp_path)


def test_every_key_at_hand(place: Place) -> None:
    client = {**place.client, **place.ca, **place.ca_key}
    run = place.run(place.file(Posture.BOTH, server={"subject": SUBJECT}, client=client, tokens=place.signing))
    assert (run.status, run.not_shown) == (0, []), run.trouble
    assert {row["grade"] for row in run.rows} == {"client-only"}
    assert of(run, "FAIL") == of(run, "WRONG_REASON") == of(run, "HARNESS_ERROR") == set()
    # A refused certificate shows in TLS; a refused token beside a refused certificate cannot be told apart.
    assert {"good", "tls-no-cert", "v-expired-leaf", "sig-wrong-key", "str-no-token"} <= of(run, "PASS")


@pytest.mark.parametrize(
    ("posture", "fault", "broken"),
    [
        (Posture.JWT, "accepts-missing-token", "str-no-token"),
        (Posture.JWT, "ignores-expiry", "exp-past"),
        (Posture.JWT, "accepts-alg-none", "alg-none"),
        (Posture.JWT, "answers-403-for-token", "sig-wrong-key"),
        (Posture.MTLS, "requests-but-does-not-require", "tls-no-cert"),
        (Posture.MTLS, "ignores-extended-key-usage", "eku-server-only"),
        (Posture.MTLS, "ignores-subject-dn", "id-unregistered-dn"),
        (Posture.BOTH, "accepts-alg-none", "alg-none"),
        (Posture.BOTH, "ignores-expiry", "exp-past"),
        (Posture.BOTH, "portal-skips-jwt-when-both", "str-no-token"),
        (Posture.BOTH, "portal-skips-mtls-when-both", "tls-no-cert"),
        (Posture.BOTH, "trusts-any-ca", "ta-unknown-ca"),
    ],
)
def test_a_bad_server_is_caught_from_outside(place: Place, posture: Posture, fault: str, broken: str) -> None:
    client = {**place.client, **place.ca, **place.ca_key}
    file = place.file(posture, fault, server={"subject": SUBJECT}, client=client, tokens=place.signing)
    run = place.run(file)
    assert run.status == 1
    assert broken in of(run, "FAIL") | of(run, "WRONG_REASON")


def test_a_dialect_adds_to_what_the_catalogue_names(place: Place) -> None:
    only, dialect = ("tokens/JWT-13-TRANSPORT*", "tokens/JWT-13-NONE*"), {"token_statuses": [401, 403]}
    file = place.file(Posture.JWT, "answers-403-for-token", tokens=place.signing, dialect=dialect)
    run = place.run(file, depth=Depth.FULL, only=only)
    assert {"t-cookie", "t-scheme-basic", "str-no-token"} <= of(run, "PASS")
    assert of(run, "WRONG_REASON") == of(run, "FAIL") == set()


def test_a_captured_token_reaches_part_of_the_catalogue(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    token = place.token()
    monkeypatch.setenv("HOPPROOF_TEST_TOKEN", token)
    run = place.run(place.file(Posture.JWT, tokens={"captured": {"env": "HOPPROOF_TEST_TOKEN"}}))
    assert (run.status, run.answer, run.trouble) == (3, Answer.NOT_SHOWN, [])
    (gap,) = run.not_shown
    assert gap.missing == ("exp-past",) and "tokens.signing_key" in gap.give
    assert {"str-no-token", "sig-wrong-key", "alg-none"} <= of(run, "PASS")
    assert {"exp-past", "kid-unknown"} <= of(run, "UNOBSERVED")
    record = (run.options.report / "run.jsonl").read_text("utf-8")
    assert token.rpartition(".")[2] not in record


def test_without_a_good_credential_nothing_passes(place: Place) -> None:
    run = place.run(place.file(Posture.JWT, tokens={"none": True}))
    assert set(outcomes(run).values()) == {"UNOBSERVED"}
    assert run.status == 3


def test_without_a_good_credential_acceptances_are_reported(place: Place) -> None:
    run = place.run(place.file(Posture.JWT, "accepts-alg-none", tokens={"none": True}))
    assert run.status == 1
    assert of(run, "FAIL") == {"alg-none"}
    assert set(outcomes(run).values()) == {"FAIL", "UNOBSERVED"}


def test_a_client_key_without_its_ca_key(place: Place) -> None:
    run = place.run(place.file(Posture.MTLS, client={**place.client, **place.ca}), depth=Depth.FULL)
    assert run.status == 0, run.trouble
    assert {"tls-no-cert", "ta-unknown-ca", "ta-same-name-other-key"} <= of(run, "PASS")
    assert {"v-expired-leaf", "eku-server-only"} <= of(run, "UNOBSERVED")
    reasons = {item.reason for item in run._withheld}
    assert "servers.portal has no subject: any certificate of its CA is to be accepted" in reasons
    assert any("Hopproof can start" in reason for reason in reasons)


def test_a_service_that_does_not_fetch_our_keys_is_named(place: Place, tmp_path: Path) -> None:
    key = tmp_path / "signing.key"
    key.write_bytes(key_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    jwks = {"listen": "127.0.0.1:0", "signing_key": str(key)}
    run = place.run(place.file(Posture.JWT, tokens={"jwks": jwks, "claims": CLAIMS}))
    assert run.status == 3
    assert "nothing fetched keys from Hopproof's JWKS server" in run.trouble[0]


def test_a_good_request_must_pass_first(place: Place) -> None:
    file = place.file(Posture.JWT, tokens=place.signing, server={"request": {"path": "/nowhere"}})
    run = place.run(file)
    assert run.status == 3
    assert "PUT /nowhere" in run.trouble[0]


def test_the_wrong_ca_is_reported(place: Place, lab: ReferenceLab) -> None:
    ca = str(lab.secrets / "portal-ca" / "ca.crt")
    run = place.run(place.file(Posture.JWT, tokens=place.signing, server={"ca": ca}))
    assert run.status == 3
    assert "check ca in the target file" in run.trouble[0]


def test_no_server_there(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    run = place.run(place.file(Posture.JWT, tokens=place.signing, server={"connect": f"127.0.0.1:{port}"}))
    assert run.status == 3
    assert "cannot connect" in run.trouble[0]


def test_read_only_withholds_what_writes(place: Place) -> None:
    with pytest.raises(UsageError, match="every request in this file writes"):
        Deployment.load(place.file(Posture.JWT, tokens=place.signing, environment="production"))
    file = place.file(
        Posture.JWT, tokens=place.signing, server={"request": {"method": "GET", "success": 200}}, read_only=True
    )
    target = Deployment.load(file).target()
    cases = _cases(file)
    assert cases
    assert not {"str-many-dots", "json-deep-nest"} & {case.stimulus.id for case in cases}
    assert all(target.withhold(case) == "" for case in cases)


@pytest.mark.parametrize(
    ("posture", "area", "path"),
    [
        (Posture.JWT, "tokens", "terminating"),
        (Posture.JWT, "tokens", "passthrough"),
        (Posture.MTLS, "chains", "passthrough"),
    ],
)
def test_every_class_is_sent_through_a_balancer(place: Place, posture: Posture, area: str, path: str) -> None:
    def sent(way: str) -> set[str]:
        cases = _cases(place.file(posture, tokens=place.signing, server={"path": way}))
        assert {str(case.path) for case in cases} == {way}
        return {case.stimulus.id for case in cases if case.requirement.area == area}

    # A client's connection ends at a balancer that terminates TLS, and says nothing of the server's.
    assert sent(path) == sent("direct") - {"str-no-token+kept-connection"} and len(sent(path)) > 30


def test_no_certificate_gets_through_a_balancer_that_terminates(place: Place) -> None:
    with pytest.raises(UsageError, match="FLW-3.* needs path: passthrough"):
        _cases(place.file(Posture.MTLS, server={"path": "terminating"}))


def _cases(file: Path) -> list[Case]:
    return Run(Options(target=str(file), seed=1, depth=Depth.FULL)).cases


def test_an_expected_failure(place: Place, tmp_path: Path) -> None:
    file = place.file(Posture.JWT, "ignores-expiry", tokens=place.signing)
    first = place.run(file)
    known = [
        {"case": row["case"], "outcome": row["outcome"], "reason": "known"}
        for row in first.rows
        if row["outcome"] == "FAIL"
    ]
    expected = tmp_path / "expected.yaml"
    expected.write_text(yaml.safe_dump({"expected": known}), "utf-8")
    run = place.run(file, expected=str(expected))
    assert run.status == 0, run.trouble
    assert all(row["as_expected"] for row in run.rows)
    assert [row["case"] for row in run.rows if row["known"]] == [row["case"] for row in known]
    suite = ET.parse(run.options.report / "junit.xml").getroot().find("testsuite")
    assert suite is not None and (suite.get("failures"), suite.get("errors")) == ("0", "0")
    expected.write_text(yaml.safe_dump({"expected": [{**entry, "expires": "2020-01-31"} for entry in known]}), "utf-8")
    late = place.run(file, expected=str(expected))
    assert late.status == 1
    message = [row["reason"] for row in late.rows if row["outcome"] == "FAIL"]
    assert len(message) == len(known)
    assert all(text.endswith("; the exception expired on 2020-01-31 (known)") for text in message)
    mended = place.run(place.file(Posture.JWT, tokens=place.signing), expected=str(expected))
    assert mended.status == 1
    assert [row["case"] for row in mended.rows if not row["as_expected"]] == [row["case"] for row in known]


def test_the_command_line_runs_a_target_file(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = place.file(Posture.JWT, tokens=place.signing)
    assert main(["target", "check", str(file)]) == 0
    assert main(["run", "--target", str(file), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "apply," in out and "Nothing was sent." in out
    assert "effect=write" in out
    url = yaml.safe_load(file.read_text("utf-8"))["servers"]["portal"]["url"]
    assert f" {url}/" in out and url.count(":") == 2
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--target", "missing.yaml"],
        ["run", "--url", "https://a.test/"],
        ["run", "--ca", "ca.crt"],
        ["run", "--url", "https://a.test/", "--ca", "c", "--target", "t.yaml"],
        ["target", "check"],
        ["target", "check", "missing.yaml"],
        ["run", "--expected", "missing.yaml"],
        ["compare", "missing", "missing"],
    ],
)
def test_bad_input_is_exit_2(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2


def test_a_file_that_a_flag_names_is_called_by_the_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--ca", "no-ca", "--cert", "no-cert", "--key", "no-key", "--token-env", "NO_SUCH_TOKEN"]
    assert main(["run", "--url", "https://a.test/", *flags, "--report", "r"]) == 2
    error = capsys.readouterr().err
    assert all(flag in error for flag in flags[::2]) and "4 mistakes" in error
    assert not any(name in error for name in ("target.yaml", "servers.", "client.", "tokens."))


def test_a_case_of_ones_own_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "tokens/JWT-13-NONE/client-to-orders/jwt/direct/str-no-token"]) == 0
    out = capsys.readouterr().out
    assert "JWT-13-NONE (MUST)" in out
    assert "effect on the server: write" in out


def test_init_writes_once(tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    assert main(["target", "init", str(file)]) == 0
    assert "servers:" in file.read_text("utf-8")
    assert main(["target", "init", str(file)]) == 2


def test_what_is_sent_says_who_we_are(lab: ReferenceLab, tmp_path: Path) -> None:
    flow = catalogue().flows["management-to-portal"]
    request = Stimuli(lab.pki, HeldTokenIssuer.of(lab.pki), tmp_path / "c").request(flow, Stimulus(), "h", "fp-1")
    assert b"\r\nUser-Agent: hopproof/" in request.head
    assert b"\r\nX-Hopproof-Case: fp-1\r\n" in request.head


def test_the_pace_is_kept() -> None:
    pace = Pace(200.0)
    started = time.monotonic()
    for _ in range(11):
        pace.wait()
    assert time.monotonic() - started >= 0.05


def test_the_header_lists_what_is_withheld(place: Place) -> None:
    run = place.run(place.file(Posture.JWT, tokens=place.signing), only=("JWT-13-NONE",))
    header = json.loads((run.options.report / "run.jsonl").read_text("utf-8").splitlines()[0])
    withheld = {item["case"]: item["reason"] for item in header["withheld"]}
    assert not set(withheld) & set(header["planned"])
    assert withheld["flows/CFG-5/management-to-portal/both/direct/good"] == "servers.portal is in posture jwt"
