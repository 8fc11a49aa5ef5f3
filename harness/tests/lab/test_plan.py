"""Planning is pure: asking for a name makes no folder and no key."""

from __future__ import annotations

from typing import Any

import pytest

from harness.catalogue import expand
from harness.catalogue.registry import FAULTS, catalogue
from harness.lab.folders import Folders
from harness.lab.plan import Plan
from harness.products.registry import reference


class Untouchable:
    """Folders that nobody may ask for."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"planning a name asked for the folder {name}")


@pytest.mark.parametrize("fault", ["", "ignores-token", "publishes-private-key"])
def test_names_make_nothing(fault: str) -> None:
    known = catalogue()
    folders: Folders = Untouchable()  # type: ignore[assignment]
    plan = Plan(reference(), known.servers, FAULTS, folders)
    setups = {case.setup(fault) for case in expand(known, reference().features | {"containers"})[0]}
    names = {plan.server_name(setup) for setup in setups} | {plan.management_name(setup) for setup in setups}
    assert len(names) > 50


def test_a_name_is_its_instances() -> None:
    known = catalogue()
    asked: list[str] = []

    class Noted:
        deployment = "deployment"

        def __getattr__(self, name: str) -> Any:
            def make(*_: object) -> str:
                asked.append(name)
                return name

            return make

    plan = Plan(reference(), known.servers, FAULTS, Noted())  # type: ignore[arg-type]
    for setup in {case.setup() for case in expand(known, reference().features)[0]}:
        assert plan.management(setup).name == plan.management_name(setup)
    assert {"impostor", "own", "bad_server"} <= set(asked)
