"""The figures of a load: as text, as ``load.json``, and as one self-contained page.  Decides nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.checks import load_knee
from harness.checks.load import Figures, comparisons, figures, remarks, sentence
from harness.errors import ReportError
from harness.model.load import LoadRecord

RECORD, PAGE = "load.json", "load.html"


def write(folder: Path, record: LoadRecord, scope: str) -> None:
    """Write the record and the page into *folder*, each whole or not at all; raises :class:`ReportError`."""
    for name, text in ((RECORD, as_json(record) + "\n"), (PAGE, _page(record, scope))):
        part = folder / f".{name}.part"
        try:
            part.write_text(text, "utf-8")
            part.replace(folder / name)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ReportError(
                f"the figures cannot be written: {error.strerror}",
                where=str(folder / name),
                hint="free some space, or choose another folder with --report",
            ) from error


def as_json(record: LoadRecord) -> str:
    """Everything, the single latencies left out."""
    return json.dumps(_data(record), indent=1)


def _data(record: LoadRecord) -> dict[str, Any]:
    return {
        "requirement": "JWT-12",
        "flow": record.flow,
        "target": record.target,
        "users": record.users,
        "rate": record.rate,
        "workers": record.workers,
        "stopped": record.stopped,
        "remarks": remarks(record),
        "arms": [{**asdict(figures(record, arm)), "jwks_fetches": record.fetches.get(arm.name)} for arm in record.arms],
        "knees": [
            {
                **asdict(item),
                "sentence": load_knee.sentence(item),
                "steps": list(map(asdict, load_knee.steps(record, item.arm))),
            }
            for item in load_knee.knees(record)
        ],
        "outage": list(record.outage),
        "comparisons": [{**asdict(item), "sentence": sentence(item, record)} for item in comparisons(record)],
        "slices": [{name: value for name, value in item.items() if name != "milliseconds"} for item in record.slices],
    }


def as_text(record: LoadRecord, scope: str, width: int = 0) -> str:
    """A table, and the sentences; where the table is wider than *width* (0: any), a paragraph for each of its lines."""
    head = (
        "posture, path, connections",
        "events/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "server CPU ms",
        "client CPU ms",
        "fetches",
        "errors",
    )
    rows = [head, *(_cells(figures(record, arm), record) for arm in record.arms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    if 0 < width < max(map(len, lines)):
        paragraphs = (f"{row[0]}: {', '.join(map(' '.join, zip(head[1:], row[1:], strict=True)))}" for row in rows[1:])
        lines = [textwrap.fill(text, width, subsequent_indent="  ") for text in paragraphs]
    load = f"{record.rate:g} events/s requested" if record.rate else f"{record.users} clients at full load"
    title = f"{record.flow}, {load}"
    said = [*(sentence(item, record) for item in comparisons(record)), *_knees(record), *_outage(record)]
    return "\n".join([title, "", *lines, "", *said, *remarks(record), f"This loaded {scope}"])


def _knees(record: LoadRecord) -> list[str]:
    found = [load_knee.sentence(item) for item in load_knee.knees(record)]
    return [*found, load_knee.RULE] if found else []


def _outage(record: LoadRecord) -> list[str]:
    return [text] if (text := load_knee.outage_sentence(record.outage)) else []


def _cells(item: Figures, record: LoadRecord) -> tuple[str, ...]:
    times = [_number(value) for value in (item.p50, item.p95, item.p99, item.server_cpu, item.client_cpu)]
    fetches = record.fetches.get(item.arm.name)
    errors = ", ".join(f"{count} {name}" for name, count in sorted(item.errors.items())) or "0"
    return (item.arm.name, f"{item.per_second:.1f}", *times, "-" if fetches is None else str(fetches), errors)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _page(record: LoadRecord, scope: str) -> str:
    environment = Environment(
        loader=PackageLoader("harness.writers", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = (Path(__file__).parent / "page" / "page.css").read_text("utf-8")
    found = [figures(record, arm) for arm in record.arms]
    top = max((item["served"] / item["seconds"] for item in record.slices if item["seconds"]), default=0.0)
    bars = [
        [item["served"] / item["seconds"] if item["seconds"] else 0.0 for item in record.of(arm)] for arm in record.arms
    ]
    return environment.get_template("load.html.j2").render(
        record=record,
        rows=[(item, _cells(item, record)) for item in found],
        bars=bars,
        top=top or 1.0,
        sentences=[sentence(item, record) for item in comparisons(record)],
        knees=[(load_knee.sentence(item), load_knee.steps(record, item.arm)) for item in load_knee.knees(record)],
        rule=load_knee.RULE,
        outage=record.outage,
        outage_said=load_knee.outage_sentence(record.outage),
        remarks=remarks(record),
        scope=scope,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}",
    )
