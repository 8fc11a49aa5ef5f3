"""What cells say beside their place in the grid: read into types, and refused where a word is misspelt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.catalogue.params import read_params
from harness.errors import CatalogueError
from harness.model.expectation import MustBeRefused, MustBeServed
from harness.model.params import Params
from harness.model.script import Action, Part, Request, Signed, UnderLoad, Verb
from harness.model.vocabulary import Reason
from harness.tests.catalogue.support import Suites

GOOD = {"request": "good", "then": "served"}
REFUSED = {"request": "former", "then": "refused", "acceptable_reasons": ["token-key"]}
LOAD = {"under_load": "move server", "outage_below": 30}


def test_a_script_is_read_into_steps() -> None:
    read = read_params({"steps": [GOOD, REFUSED, {**LOAD, "restarts": False}]}, "a row")
    assert read.script == (
        Request(Signed.GOOD, MustBeServed()),
        Request(Signed.FORMER, MustBeRefused((Reason.TOKEN_KEY,))),
        UnderLoad(Action(Verb.MOVE, Part.SERVER), 30, undisturbed=True),
    )
    assert str(read.script[1]) == "request former, then refused: token-key"


def test_nothing_said_is_nothing_special() -> None:
    assert read_params({}, "a row") == Params()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"reqest": "good", "then": "served"}, "expected one of request, act"),
        ({"request": "good", "advance": 1}, "expected one of"),
        ("request", "expected one of"),
        ({"request": "goood", "then": "served"}, "'goood' is not one of good, kept"),
        ({"request": "good"}, "then: None is not one of served, refused"),
        ({"request": "good", "then": "rejected"}, "'rejected' is not one of served, refused"),
        ({"request": "good", "then": "refused"}, "acceptable_reasons must be a list"),
        ({**REFUSED, "acceptable_reasons": ["token-keys"]}, "'token-keys' is not one of"),
        ({**GOOD, "acceptable_reasons": ["token-key"]}, "unknown key 'acceptable_reasons'"),
        ({"act": "gateway", "then": "served", "presents": "new"}, "'new' is not one of old, renewed"),
        ({"act": 1, "then": "served"}, "act must be a name"),
        ({"advance": "an hour"}, "advance must be a number"),
        ({"advance": True}, "advance must be a number"),
        ({"key-server": "off"}, "'off' is not one of up, down"),
        ({"rotate": "renew"}, "'renew' is not one of replace, overlap, retire"),
        ({"fetches": 1.5}, "fetches must be an integer"),
        ({"operate": "mend"}, "'' is not one of key-server, server"),
        ({"operate": "melt server"}, "'melt' is not one of pause"),
        ({"under_load": "move server"}, "outage_below must be a number"),
        ({"mint": "a", "issuer": "i", "audience": "a"}, "subject must be a name"),
        ({"mint": "a", "issuer": "i", "audience": "a", "subject": "s", "flaw": "old"}, "'old' is not one of none"),
        ({"mint": "a", "issuer": "i", "nesting": "deep"}, "'deep' is not one of claim, jwt"),
        ({"mint": "a", "issuer": "i", "audience": "a", "subject": "s", "claims": {"n": 1}}, "claims must map names"),
        ({"evidence": "a", "then": "kept"}, "'kept' is not one of signed, not-signed"),
        ({"introspect": "a", "at": "s", "client": "c", "then": "on"}, "'on' is not one of active"),
        ({"exchange": "a", "at": "s", "client": "c", "audience": "x", "secret": "bad"}, "'bad' is not one of good"),
        ({**LOAD, "restarts": True}, "restarts can only be false"),
        ({"cut_off": "kill server"}, "then: None is not cut-off"),
        ({"slow": 1, "then": "served"}, "unknown key 'then'"),
    ],
)
def test_a_misspelt_step_is_refused(step: object, message: str) -> None:
    with pytest.raises(CatalogueError, match=f"step 2: .*{re.escape(message)}"):
        read_params({"steps": [GOOD, step]}, "a row")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([], "must be a mapping"),
        ({"step": [GOOD]}, "unknown key 'step'"),
        ({"steps": []}, "steps must be a list"),
        ({"statuses": [42]}, "statuses must be different HTTP statuses"),
        ({"statuses": 401}, "statuses must be a list"),
        ({"acceptable_reasons": ["no-token"]}, "'no-token' is not one of"),
        ({"variant": ""}, "variant must be a name"),
        ({"names": "jwksUrl"}, "names must be a list"),
        ({"compares_audience": "yes"}, "compares_audience can only be true"),
    ],
)
def test_a_misspelt_particular_is_refused(params: object, message: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(message)):
        read_params(params, "a row")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"reqest": "good"}, "step 1: expected one of"),
        ({"act": "nobody", "then": "served"}, "unknown client 'nobody'"),
        ({"register": "nobody"}, "unknown client 'nobody'"),
        ({"renew": "no-secret"}, "unknown secret 'no-secret'"),
    ],
)
def test_the_loader_names_file_and_row(tmp_path: Path, step: dict[str, Any], message: str) -> None:
    suites = Suites(tmp_path)
    suites.cells["params"] = {"steps": [step]}
    with pytest.raises(CatalogueError, match=message) as refused:
        suites.load()
    assert "catalogue.yaml REQ-1" in str(refused.value.where)
