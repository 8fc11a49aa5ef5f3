"""The import arrows, the laws that source text can show, and that each of these rules is able to fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from harness.tests import architecture
from harness.tests.architecture import House, Source

Rule = Callable[[Source], list[str]]

# Written by others; they are to be split.
LONG_TESTS = frozenset({"harness.tests.subsystems.support"})


@pytest.fixture(scope="module")
def sources() -> Mapping[str, Source]:
    found = architecture.everything()
    assert len(found) > 50
    return found


@pytest.fixture(scope="module")
def production() -> Mapping[str, Source]:
    return architecture.production()


@pytest.fixture(scope="module")
def house() -> House:
    return House(architecture.floors((architecture.ROOT / "ARCHITECTURE.md").read_text("utf-8")))


def _wrong(sources: Mapping[str, Source], rule: Rule) -> list[str]:
    return [text for source in sources.values() for text in rule(source)]


def test_the_page_names_the_floors(house: House) -> None:
    flat = [unit for units in house.floors for unit in units]
    assert len(flat) == len(set(flat))
    for low, high in (
        ("model", "config"),
        ("wire", "stimuli"),
        ("checks", "judge"),
        ("judge", "lab"),
        ("subsystems", "lab"),
        ("lab", "run"),
        ("run", "plugin"),
        ("plugin", "cli"),
    ):
        below, above = house.level(low), house.level(high)
        assert below is not None and above is not None and below < above, (low, high)


def test_every_module_stands_on_a_floor(house: House, production: Mapping[str, Source]) -> None:
    units = {unit for name in production if (unit := architecture.unit_of(name))} - {"__main__", "__init__"}
    assert {unit for unit in units if house.level(unit) is None} == set()
    assert {unit for units in house.floors for unit in units} <= units


def test_imports_go_down(house: House, production: Mapping[str, Source]) -> None:
    assert _wrong(production, house.climbs) == []


def test_no_circles(production: Mapping[str, Source]) -> None:
    assert architecture.circles(production) == []


@pytest.mark.parametrize(
    "rule",
    [architecture.oracle, architecture.addons, architecture.fences, architecture.pure_model],
    ids=lambda rule: rule.__name__,
)
def test_laws(production: Mapping[str, Source], rule: Rule) -> None:
    assert _wrong(production, rule) == []


def test_every_module_has_a_docstring(sources: Mapping[str, Source]) -> None:
    assert _wrong(sources, architecture.documented) == []


def test_no_file_is_too_long(sources: Mapping[str, Source]) -> None:
    judged = {name: source for name, source in sources.items() if name not in LONG_TESTS}
    assert _wrong(judged, architecture.short) == []


def test_few_bags(production: Mapping[str, Source]) -> None:
    """What is ours has a type; ``dict[str, Any]`` is for data that others wrote."""
    aliases = architecture.bag_aliases(production)
    lines = sum(len(source.text.splitlines()) for source in production.values())
    found = {source.name: architecture.bags(source, aliases) for source in production.values()}
    worst = sorted(found, key=lambda name: -found[name])[:5]
    assert sum(found.values()) * 1000 / lines <= architecture.MAX_BAGS, worst


# Each rule is able to fail.


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("harness.model.case", "import harness.config"),
        ("harness.wire.send", "from harness.judge import judge"),
        ("harness.wire.send", "def late():\n    from harness.run import engine"),
        ("harness.writers.rows", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import harness.run"),
        ("harness.checks.access", "from ..wire import send"),
        ("harness.config", "from harness.wire.send import send"),
        ("harness.run.engine", "from harness import plugin"),
        ("harness.plugin", "from harness.cli import main"),
        ("harness.elsewhere", ""),
    ],
)
def test_a_climb_is_seen(house: House, module: str, text: str) -> None:
    assert len(house.climbs(Source(module, text))) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("harness.cli", "from harness.plugin import RUN\nimport pytest"),
        ("harness.wire.send", "from harness.pki.private_files import private_file\nfrom harness.decode import tls"),
        ("harness.run.engine", "from harness.probes.live import Bench"),
        ("harness.checks.access", "from .question import Question\nfrom ..model.case import Case"),
    ],
)
def test_a_step_down_is_none(house: House, module: str, text: str) -> None:
    assert house.climbs(Source(module, text)) == []


@pytest.mark.parametrize(
    ("rule", "module", "text"),
    [
        (architecture.oracle, "harness.subsystems.server.jws", "from harness.stimuli.tokens import TokenIssuer"),
        (architecture.oracle, "harness.subsystems.server.jws", "from harness.wire.send import send"),
        (architecture.oracle, "harness.subsystems.server.jws", "from harness import checks"),
        (architecture.oracle, "harness.subsystems.server.jws", "import harness.judge"),
        (architecture.oracle, "harness.subsystems", "def late():\n    import harness.catalogue.loader"),
        (architecture.oracle, "harness.subsystems.server.jws", "from ...pki.deployment import Pki"),
        (architecture.addons, "mitm_addons.balancer", "from harness.pki.deployment import Pki"),
        (architecture.addons, "mitm_addons.balancer", "import harness.run.engine"),
        (architecture.fences, "harness.wire.send", "import scapy.all"),
        (architecture.fences, "harness.wire.packets", "from scapy.all import sniff"),
        (architecture.fences, "harness.lab.embedded", "from testcontainers.core import container"),
        (architecture.fences, "harness.run.engine", "import allure"),
        (architecture.fences, "harness.run.engine", "from allure_commons.model2 import Status"),
        (architecture.fences, "harness.lab.embedded", "from mitmproxy import http"),
        (architecture.pure_model, "harness.model.case", "import yaml"),
        (architecture.pure_model, "harness.model.case", "from harness.errors import UsageError"),
        (architecture.documented, "harness.new", "import json"),
        (architecture.short, "harness.new", '"""Long."""\n' * (architecture.MAX_LINES + 1)),
    ],
)
def test_a_broken_law_is_seen(rule: Rule, module: str, text: str) -> None:
    assert len(rule(Source(module, text))) == 1


@pytest.mark.parametrize(
    ("rule", "module", "text"),
    [
        (
            architecture.oracle,
            "harness.subsystems.server.jws",
            "import jwt\nfrom harness.model.vocabulary import Reason",
        ),
        (architecture.oracle, "harness.lab.embedded", "from harness.pki.deployment import Pki"),
        (architecture.addons, "mitm_addons.inspector", "import mitmproxy.http\nfrom harness.judge import judge"),
        (architecture.fences, "harness.wire.packets", "def capture():\n    import scapy.all"),
        (architecture.fences, "harness.plugin", "import allure"),
        (architecture.fences, "mitm_addons.layers", "from mitmproxy.proxy import layer"),
        (architecture.pure_model, "harness.model.case", "import enum\nfrom harness.model.vocabulary import Path"),
        (architecture.documented, "harness.new", '"""Says what it does."""'),
        (architecture.documented, "harness.new", ""),
        (architecture.short, "harness.new", "pass\n" * architecture.MAX_LINES),
    ],
)
def test_a_kept_law_is_not(rule: Rule, module: str, text: str) -> None:
    assert rule(Source(module, text)) == []


def test_a_circle_is_seen() -> None:
    texts = {"harness.a": "from harness.b import thing", "harness.b": "def late():\n    import harness.a"}
    sources = {name: Source(name, text) for name, text in texts.items()}
    assert architecture.circles(sources) == ["harness.a -> harness.b -> harness.a"]
    assert architecture.circles({"harness.a": sources["harness.a"]}) == []


def test_a_bag_is_seen() -> None:
    texts = {
        "harness.a": "Json = dict[str, Any]\ndef f(x: dict[str, Any], y: Json) -> dict[str, str]: ...",
        "harness.b": "from harness.a import Json\ndef f(x: list[Json]) -> Json | None: ...",
        "harness.c": "Json = list[str]\ndef f(x: Json, y: dict[str, int]) -> dict[str, object]: ...",
        "harness.d": "from harness.a import f\ndef g(x: Json) -> None: ...",
    }
    sources = {name: Source(name, text) for name, text in texts.items()}
    aliases = architecture.bag_aliases(sources)
    assert aliases == {"harness.a.Json"}
    assert [architecture.bags(source, aliases) for source in sources.values()] == [3, 2, 0, 0]


def test_floors_of_another_page() -> None:
    text = "# Title\n\n    not, these\n\n## Floors\n\nLowest first:\n\n    one, two\n    three\n\n## More\n\n    four\n"
    assert architecture.floors(text) == [("one", "two"), ("three",)]
