"""The catalogue as the report page shows it: requirements, flows and words.  Reads, decides nothing."""

from __future__ import annotations

from harness.catalogue import expand
from harness.catalogue.glossary import words
from harness.catalogue.registry import FAULTS, catalogue
from harness.model.catalogue import Requirement
from harness.writers.page import Guide


def guide() -> Guide:
    """The guide of the installed catalogue."""
    known = catalogue()
    flows = {
        flow.name: {
            "client": flow.client,
            "server": flow.server.name,
            "endpoint": flow.server.endpoint,
            "default": str(flow.server.default),
            "effect": flow.effect,
        }
        for flow in known.flows.values()
    }
    return Guide(
        catalogue_sha256=known.sha256,
        requirements={row.id: _requirement(row) for row in known.requirements},
        flows=flows,
        words={**words(), "stimulus": {name: row.summary for name, row in known.classes.items()}},
        faults={name: fault.summary for name, fault in FAULTS.items()},
        cases=sum(map(len, expand(known, known.features))),
    )


def _requirement(row: Requirement) -> dict[str, str]:
    return {
        "area": row.area,
        "text": row.text,
        "why": row.why,
        "source": str(row.source),
        "basis": str(row.basis),
        "level": str(row.level),
        "note": row.note,
        "faults": ", ".join(row.faults),
    }
