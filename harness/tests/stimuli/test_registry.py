"""One record for each stimulus class: what is named wrongly is refused, and all else follows from the record."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.catalogue.registry import STIMULUS_CLASSES, catalogue
from harness.errors import CatalogueError
from harness.model.case import GOOD
from harness.probes.bypass import WAYS
from harness.probes.certificate_header import HEADERS
from harness.probes.transports import TRANSPORTS
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.registry import Family, Intrusiveness, MadeBy, Need, StimulusClass, StimulusClasses
from harness.stimuli.tokens import LURING, TOKEN_CLASSES, TokenIssuer
from harness.stimuli.tokens.table import Classes, collect
from mitm_addons.inspection import credentials

MISSPELT = "exp-passed"
TABLES: list[Mapping[str, StimulusClass[Any]]] = [CERTIFICATE_CLASSES, TOKEN_CLASSES, TRANSPORTS]


@pytest.mark.parametrize("table", [*TABLES, STIMULUS_CLASSES], ids=["certificates", "tokens", "transports", "all"])
def test_a_misspelt_name_is_refused(table: Mapping[str, StimulusClass[Any]]) -> None:
    assert MISSPELT not in table
    with pytest.raises(CatalogueError, match=f"no stimulus class is called '{MISSPELT}'"):
        _ = table[MISSPELT]


def test_a_misspelt_twin_is_refused() -> None:
    wrong = replace(TOKEN_CLASSES["exp-past"], twin=MISSPELT)
    with pytest.raises(CatalogueError, match=f"'{MISSPELT}'.*twin"):
        StimulusClasses(wrong)


def test_a_name_stands_once() -> None:
    row = TOKEN_CLASSES["exp-past"]
    with pytest.raises(CatalogueError, match="two stimulus classes are called 'exp-past'"):
        StimulusClasses(row, replace(row, summary="another"))
    other: StimulusClass[Any] = replace(TRANSPORTS["compared"], name="exp-past")
    with pytest.raises(CatalogueError, match="two stimulus classes are called 'exp-past'"):
        StimulusClasses[StimulusClass[Any]](row, other)


def test_a_class_is_one_builder() -> None:
    classes = Classes(made_by=MadeBy.ISSUER)

    @classes.token("exp-yesterday", twin="exp-yesterday", intrusive=Intrusiveness.STRESS)
    def yesterday(token_issuer: TokenIssuer) -> str:
        """It expired
        yesterday."""
        return token_issuer.token(claims=token_issuer.claims(exp=0))

    row = collect(classes)["exp-yesterday"]
    assert (row.summary, row.family, row.made_by) == ("It expired yesterday.", Family.TOKEN, MadeBy.ISSUER)
    assert (row.intrusive, row.needs) == (Intrusiveness.STRESS, frozenset())


def test_every_class_has_a_summary_and_is_listed_under_its_family() -> None:
    assert [name for name, row in STIMULUS_CLASSES.items() if not row.summary] == []
    listed = {name: row.kind for name, row in catalogue().classes.items()}
    assert {name: str(STIMULUS_CLASSES[name].family) for name in listed} == listed
    assert set(STIMULUS_CLASSES) == {name for table in TABLES for name in table} - {GOOD}


def test_each_need_is_asked_by_some_class() -> None:
    assert [need for need in Need if not STIMULUS_CLASSES.needing(need)] == []
    assert sorted(LURING) == ["jku-attacker", "kid-url", "x5u-attacker"]


def test_what_an_external_server_can_be_asked() -> None:
    ours = TRANSPORTS.needing(Need.OWN_LAB) | TRANSPORTS.needing(Need.EXPORTS)
    assert set(TRANSPORTS) - ours == {
        GOOD,
        "t-plaintext",
        "compared",
        "load-compared",
        "j-other-kinds",
        *WAYS,
        *HEADERS,
    }


def test_the_inspector_names_classes_that_exist() -> None:
    """It runs in a process of its own and may not import the builders, so it spells their names."""
    spelt = re.compile(r"(?:aud|alg|crit|exp|iat|iss|kid|nbf|sig|str|t)-[a-z-]+[a-z]")
    tree = ast.parse(inspect.getsource(credentials))
    constants = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {text for text in constants if spelt.fullmatch(text)}
    assert len(named) >= 15
    assert {name for name in named if name not in TOKEN_CLASSES} == set()
    assert credentials.UNLISTED not in TOKEN_CLASSES
