"""What there is to judge, as rows for ``hopproof list``.  Reads the catalogue, starts nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from harness.catalogue import Catalogue, expand
from harness.catalogue.combinations import combination_of
from harness.catalogue.product import of_product
from harness.catalogue.registry import FAULTS, catalogue
from harness.commands.verb import Arguments, Verbs, verb
from harness.model.case import exports_of
from harness.targets.builtin import EMBEDDED

Row = Mapping[str, str | int | list[str] | Mapping[str, str | int] | None]


def _requirements(known: Catalogue) -> list[Row]:
    """Every requirement: id, level, basis, source, how many cases, the faults that break it."""
    cases, _ = expand(known, EMBEDDED.features)
    return [
        {
            "id": row.id,
            "level": str(row.level),
            "basis": str(row.basis),
            "source": str(row.source),
            "cases": sum(case.requirement is row for case in cases),
            "faults": list(row.faults),
            "text": row.text,
        }
        for row in known.requirements
    ]


def _cases(known: Catalogue) -> list[Row]:
    """Every case, those withheld from the built-in reference with the reason."""
    cases, withheld = expand(known, EMBEDDED.features)
    reasons = {item.case.id: item.reason for item in withheld}
    return [
        {
            "id": case.id,
            "requirement": case.requirement.id,
            "level": str(case.requirement.level),
            "flow": case.flow.name,
            "posture": str(case.posture),
            "path": str(case.path),
            "stimulus": case.stimulus.id,
            "expected": case.expected,
            "depth": str(case.depth),
            "withheld": reasons.get(case.id),
            **({"combination": combination} if (combination := combination_of(case)) else {}),
        }
        for case in (*cases, *(item.case for item in withheld))
    ]


def _flows(known: Catalogue) -> list[Row]:
    """Every flow, with the postures of the endpoint at which it ends, and what stands in its place for files."""
    products = dict.fromkeys(block.exports for row in known.requirements for block in row.cells if block.exports)
    exports = [exports_of(product) for product in products]
    return [
        {
            "flow": flow.name,
            "product": flow.server.product,
            "client": flow.client,
            "server": flow.server.name,
            "endpoint": flow.server.endpoint,
            "default": str(flow.server.default),
            "postures": [str(posture) for posture in flow.server.postures],
        }
        for flow in (*known.flows.values(), *exports)
    ]


def _faults(known: Catalogue) -> list[Row]:
    """Every fault and the requirements it breaks."""
    return [
        {"name": fault.name, "area": fault.area, "breaks": list(known.breaks(fault.name)), "summary": fault.summary}
        for fault in FAULTS.values()
        if known.breaks(fault.name)
    ]


def _features(known: Catalogue) -> list[Row]:
    """Every feature that something needs, and what."""
    return [
        {
            "feature": name,
            "embedded": name in EMBEDDED.features,
            "requirements": [row.id for row in known.requirements if name in row.needs],
            "flows": [
                flow.name
                for flow in known.flows.values()
                if any(name in flow.needed(posture) for posture in flow.server.postures)
            ],
        }
        for name in sorted(known.features)
    ]


LISTS: dict[str, Callable[[Catalogue], list[Row]]] = {
    "requirements": _requirements,
    "cases": _cases,
    "flows": _flows,
    "faults": _faults,
    "features": _features,
}


def add(verbs: Verbs) -> None:
    """Add ``list``."""
    show = verb(verbs, "list", _list, "list requirements, cases, flows, faults or features")
    show.add_argument("what", choices=list(LISTS))
    show.add_argument("--product", default="", metavar="NAME", help="only what concerns this product")
    show.add_argument("--json", action="store_true", help="print JSON")


def _list(arguments: Arguments) -> int:
    rows = LISTS[arguments.what](of_product(catalogue(), arguments.product))
    if arguments.json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    else:
        for row in rows:
            print("  ".join(str(value) for value in row.values() if value not in (None, [], "")))  # noqa: T201
    return 0
