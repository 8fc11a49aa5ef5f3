"""The schema of run.jsonl: real lines validate, strange ones do not, and it says no more and no less than the code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from harness import paths
from harness.decode.shape import misfit
from harness.model import exchange, record, vocabulary
from harness.model.case import Stimulus
from harness.model.exchange import CertificateView, Exchange, Response
from harness.model.script_facts import Answered, AnsweredLate, Change, Done, Fetched, LoadResult
from harness.model.verdict import Verdict
from harness.model.vocabulary import Grade, Outcome, Path, Reason
from harness.tests import builders
from harness.tests.conftest import Finished
from harness.writers.protection import protection
from harness.writers.record import NAME
from harness.writers.rows import missing_row, outcomes, row

KINDS = ("header", "row", "footer")
PASSED = Verdict(Outcome.PASS, "as-required", "as required", Grade.BOTH_SIDES, ("a note",))
CHAIN = (CertificateView("", "CN=ingress-ca", builders.LEAF),)

EXCHANGES = [
    Exchange("", lab_fault="it died"),
    builders.exchange(server_view=builders.server(builders.request()), effect=None),
    builders.exchange(
        builders.client(None, alert="unknown_ca", sent_sha256=builders.BODY, ms=1.25),
        dataclasses.replace(builders.rejecting(Reason.CERTIFICATE_UNTRUSTED, tls=True), client_chain=CHAIN, sni="x"),
        builders.passthrough(),
        effect=False,
    ),
    builders.exchange(
        builders.client(401, response=Response(401, (("www-authenticate", "Bearer"), ("via", "")), "no")),
        builders.server(builders.request("rejected", "token-expired", token=None, detail="expired", body_bytes=3)),
        builders.terminating(builders.request("balancer", status=502), upstream_error="refused", sni="x"),
        extra={"start": {"refused": "no"}},
    ),
    builders.exchange(builders.client(None, fault="cannot connect", local_port=None, server_chain=())),
    builders.exchange(
        steps=(Answered(None, "timed out", "", effect=False), LoadResult(9, 0, None), Done(kid="2"), Done())
    ),
]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((paths.SCHEMA / "run.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(found)
    return found


@pytest.fixture(scope="module")
def real(conforming: Finished) -> list[dict[str, Any]]:
    """The lines of a real run."""
    return [json.loads(line) for line in (conforming.report / NAME).read_text("utf-8").splitlines()]


def properties(schema: dict[str, Any], name: str) -> set[str]:
    return set(schema["$defs"][name]["properties"])


def complaints(schema: dict[str, Any], line: object) -> list[str]:
    """What is wrong with *line*, in the schema's eyes."""
    kind = line.get("kind") if isinstance(line, dict) else None
    if kind not in KINDS:
        return [error.message for error in Draft202012Validator(schema).iter_errors(line)]
    # The line's own kind instead of the choice between three: the message is of use then.
    named = Draft202012Validator({**schema, "oneOf": [{"$ref": f"#/$defs/{kind}"}]})
    return [f"{error.json_path}: {error.message}" for top in named.iter_errors(line) for error in top.context or [top]]


def test_real_lines(schema: dict[str, Any], real: list[dict[str, Any]]) -> None:
    assert [line["kind"] for line in real] == ["header", *["row"] * (len(real) - 2), "footer"]
    assert [text for line in real for text in complaints(schema, line)] == []
    assert all(Draft202012Validator(schema).is_valid(line) for line in real)


@pytest.mark.parametrize("facts", EXCHANGES)
def test_lines_of_every_kind_of_exchange(schema: dict[str, Any], facts: Exchange) -> None:
    about = builders.case("token-refused", path=Path.TERMINATING, stimulus=Stimulus("bad-cert", "bad-token"))
    made = row(about, facts, PASSED, {"opening": "", "closing": "not served"}, 3.5)
    assert complaints(schema, json.loads(json.dumps(made))) == []


def test_a_line_of_a_case_that_never_ran(schema: dict[str, Any]) -> None:
    assert complaints(schema, missing_row(builders.case(), Grade.BOTH_SIDES, "interrupted")) == []


def test_footers_of_every_kind(schema: dict[str, Any], real: list[dict[str, Any]]) -> None:
    rows = [
        builders.row("f/R/a/mtls/direct/x"),
        builders.row("f/R/a/jwt/terminating/x", "FAIL"),
        builders.row("f/R/a/tls-only/direct/start", expected="start-refused"),
    ]
    footer = {
        **real[-1],
        "outcomes": outcomes(rows),
        "protection": protection(rows),
        "trouble": ["x"],
        "exit_status": 3,
    }
    assert complaints(schema, footer) == []


# Drift


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("header", record.Header),
        ("row", record.Row),
        ("footer", record.Footer),
        ("leftOut", record.LeftOut),
        ("known", record.Excuse),
        ("token", record.Token),
        ("certificate", record.Certificate),
        ("response", record.Response),
        ("request", record.Request),
        ("client", record.Client),
        ("server", record.Server),
        ("balancer", record.Balancer),
        ("evidence", record.Evidence),
        ("shield", record.Shield),
    ],
)
def test_the_types_have_what_the_schema_has(schema: dict[str, Any], name: str, form: type) -> None:
    assert set(get_type_hints(form)) == properties(schema, name)


def test_real_lines_have_the_form_of_the_types(real: list[dict[str, Any]]) -> None:
    forms = {"header": record.Header, "row": record.Row, "footer": record.Footer}
    assert [text for line in real if (text := misfit(line, forms[line["kind"]]))] == []


def test_every_property_is_written(schema: dict[str, Any], real: list[dict[str, Any]]) -> None:
    for line in real:
        assert set(line) == properties(schema, line["kind"])
    assert set(real[-1]["outcomes"]) == {str(outcome) for outcome in Outcome}


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("token", exchange.TokenView),
        ("certificate", exchange.CertificateView),
        ("response", exchange.Response),
        ("client", exchange.ClientView),
        ("request", exchange.RequestView),
        ("server", exchange.ServerView),
        ("balancer", exchange.BalancerView),
    ],
)
def test_every_member_of_a_view_is_there(schema: dict[str, Any], name: str, made: Any) -> None:
    assert properties(schema, name) == {field.name for field in dataclasses.fields(made)}


def test_every_member_of_the_evidence_is_there(schema: dict[str, Any]) -> None:
    # What a script observed is written below ``extra``.
    facts = {field.name for field in dataclasses.fields(Exchange)} - {"steps"}
    assert properties(schema, "evidence") == facts | {"twin", "notes"}


def test_every_member_of_a_shield_is_there(schema: dict[str, Any]) -> None:
    (cell,) = protection([builders.row("f/R/a/mtls/direct/x")])["a"].values()
    assert properties(schema, "shield") == set(cell)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (("outcome",), vocabulary.Outcome),
        (("posture",), vocabulary.Posture),
        (("path",), vocabulary.Path),
        (("row", "properties", "level"), vocabulary.Level),
        (("row", "properties", "basis"), vocabulary.Basis),
        (("row", "properties", "grade"), vocabulary.Grade),
        (("header", "properties", "depth"), vocabulary.Depth),
        (("footer", "properties", "outcomes", "properties"), vocabulary.Outcome),
    ],
)
def test_every_word_is_known(schema: dict[str, Any], where: Iterable[str], words: type[StrEnum]) -> None:
    found = schema["$defs"]
    for key in where:
        found = found[key]
    assert list(found.get("enum", found)) == [str(word) for word in words]


# Strict


@pytest.mark.parametrize("kind", KINDS)
def test_strange_lines(schema: dict[str, Any], real: list[dict[str, Any]], kind: str) -> None:
    line = next(line for line in real if line["kind"] == kind)
    assert complaints(schema, {**line, "surplus": 1})
    for key in line:
        assert complaints(schema, {name: value for name, value in line.items() if name != key}), key
        assert complaints(schema, {**line, key: [object]}), key
    for other in KINDS:
        if other != kind:
            assert not Draft202012Validator(schema).is_valid({**line, "kind": other})


@pytest.mark.parametrize("line", [{}, [], None, "header", {"kind": "noise"}])
def test_no_line_at_all(schema: dict[str, Any], line: object) -> None:
    assert complaints(schema, line)


def test_strange_members(schema: dict[str, Any]) -> None:
    made = row(builders.case(), EXCHANGES[1], PASSED, None, 1.0)
    for change in (
        {"outcome": "MAYBE"},
        {"case": "flows/FLW-1"},
        {"ms": -1},
        {"reason": ""},
        {"evidence": {"surplus": 1}},
        {"evidence": {"effect": "yes"}},
        {"evidence": {"client": {**made["evidence"]["client"], "token": "eyJ"}}},
    ):
        assert complaints(schema, {**made, **change}), change


def test_what_a_script_observed_keeps_its_written_form() -> None:
    move = Change(restarted=False, forgotten=0, change_s=0.1)
    late = AnsweredLate(202, "", effect=True, in_time=True, early=False)
    played = (Answered(None, "timed out", "", effect=False), Fetched(2), late, LoadResult(9, 0, None, move), Done())
    extra = builders.exchange(steps=played).to_json()["extra"]
    assert extra["server_leaf_sha256"] == builders.LEAF
    assert extra["steps"] == [
        {"status": None, "ended": "timed out", "reason": "", "effect": False},
        {"fetches": 2},
        {"status": 202, "ended": "", "reason": "", "effect": True, "in_time": True, "early": False},
        {"served": 9, "lost": 0, "outage_s": None, "restarted": False, "forgotten": 0, "change_s": 0.1},
        {},
    ]
