"""``hopproof packets --format page``: the report's style, self-contained; all text of a capture is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.checks.exposure import described
from harness.model.connection import Connection, Content, Inference
from harness.model.words import counted
from harness.writers.packets import PacketReport, escaped, kind_of

_LISTED = 500


def as_page(report: PacketReport, files: Sequence[str]) -> str:
    """The page."""
    environment = Environment(
        loader=PackageLoader("harness.writers", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = (Path(__file__).parent / "page" / "page.css").read_text("utf-8")
    legs = [
        {
            "before": escaped(described(leg.before)),
            "after": escaped(", ".join(described(item) for item in leg.after)),
            "passage": leg.passage,
            "why": escaped(leg.why),
        }
        for leg in report.legs[:_LISTED]
    ]
    return environment.get_template("packets.html.j2").render(
        report=report,
        files=[escaped(name) for name in files],
        counted=counted,
        errors=sum(finding.severity == "error" for finding in report.findings),
        legs=legs,
        more_legs=max(len(report.legs) - _LISTED, 0),
        rows=[_row(item) for item in report.connections[:_LISTED]],
        more=max(len(report.connections) - _LISTED, 0),
        opened=[{"ends": escaped(item.ends), "text": escaped(item.text)} for item in report.opened],
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}",
    )


def _row(item: Connection) -> dict[str, str | int]:
    tls = item.content is Content.TLS
    return {
        "ends": escaped(described(item)),
        "kind": kind_of(item),
        "name": escaped(item.hello.server_name if item.hello else item.requests[0].host if item.requests else ""),
        "asked": _said(item.certificate_requested) if tls else "-",
        "sent": _said(item.certificate_sent) if tls else "-",
        "data": str(item.application_data) if tls else "-",
        "readable": escaped(_clear(item)),
        "size": item.sent.bytes + item.received.bytes,
        "notes": escaped("; ".join((*item.notes, *(f"{one.sender}: {one.name}" for one in item.alerts)))),
    }


def _said(found: Inference) -> str:
    return f"{found.seen} ({found.confidence})"


def _clear(item: Connection) -> str:
    if not item.requests:
        return ""
    first = item.requests[0]
    token = ", bearer token" if any(request.token for request in item.requests) else ""
    return f"{first.method} {first.path}{token}"
