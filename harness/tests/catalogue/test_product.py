"""The part of a catalogue that is about one product."""

from __future__ import annotations

import pytest

from harness.catalogue import expand
from harness.catalogue.product import of_product
from harness.catalogue.registry import catalogue
from harness.cli import main
from harness.config import Options
from harness.errors import UsageError
from harness.run.run import Run
from harness.targets.builtin import EMBEDDED

NAMES = ("apic", "microservices", "apk")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_another_product_is_left(name: str) -> None:
    narrowed = of_product(catalogue(), name)
    cases, withheld = expand(narrowed, EMBEDDED.features)
    assert cases
    assert {case.flow.server.product for case in (*cases, *(item.case for item in withheld))} == {name}
    assert {server.product for server in narrowed.servers.values()} == {name}


def test_the_products_together_are_everything() -> None:
    parts = [case.id for name in NAMES for case in expand(of_product(catalogue(), name), EMBEDDED.features)[0]]
    assert sorted(parts) == sorted(case.id for case in expand(catalogue(), EMBEDDED.features)[0])


def test_no_name_is_all_products() -> None:
    assert of_product(catalogue(), "") is catalogue()


@pytest.mark.parametrize("words", [["run"], ["list", "flows"], ["explain", "FLW-0"]])
def test_an_unknown_product_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--product", "nonesuch"]) == 2
    assert "unknown product 'nonesuch'" in capsys.readouterr().err


def test_a_catalogue_without_the_product_is_refused() -> None:
    with pytest.raises(UsageError, match="no flow of the product"):
        of_product(of_product(catalogue(), "apic"), "microservices")


def test_a_run_takes_the_product_s_cases_alone() -> None:
    assert {case.flow.server.product for case in Run(Options(product="microservices")).cases} == {"microservices"}
