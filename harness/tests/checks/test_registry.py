"""The table of checks: one record each, and no name that is left out in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checks import CHECKS, Check, registered
from harness.checks.question import Question
from harness.errors import CatalogueError
from harness.judge import judge
from harness.model.vocabulary import Outcome
from harness.tests.builders import case, exchange


def test_a_misspelt_check_is_refused_where_it_is_used() -> None:
    with pytest.raises(CatalogueError, match="no check is called 'token-refusd'") as refused:
        CHECKS["token-refusd"]
    assert "token-refused" in refused.value.hint
    misspelt = replace(case("token-refused"), expected="token-refusd")
    assert judge(Question(misspelt, exchange(), {})).outcome is Outcome.HARNESS_ERROR


def test_a_name_that_stands_twice_is_refused() -> None:
    one = Check("served", lambda question: [], "the request is served")
    with pytest.raises(CatalogueError, match="two checks are called 'served'"):
        registered(one, one)


def test_every_check_says_what_must_happen() -> None:
    assert all(check.summary and check.name == name for name, check in CHECKS.items())


@pytest.mark.parametrize("name", ["certificate-refused", "token-refused", "refused", "flow-broken", "not-let-in"])
def test_whose_pass_is_a_rejection_needs_a_twin(name: str) -> None:
    assert CHECKS[name].needs_twin and not CHECKS[name].lets_in
