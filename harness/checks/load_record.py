"""Whether mTLS and JWT were compared under load.  Reads ``extra["load"]`` only, and invents no threshold."""

from __future__ import annotations

from harness.checks.question import Question, note, unobserved, violation
from harness.model.observations import Loaded, LoadedArm
from harness.model.verdict import Finding
from harness.model.vocabulary import Posture


def compared(question: Question) -> list[Finding]:
    """Events of this flow were served with mTLS and with JWT in one load, over one path and one kind of connections."""
    load = question.exchange.extra.get("load")
    if load is None:
        return [unobserved("no-load", "no record of a load was given")]
    if load["flow"] != question.case.flow.name:
        return [unobserved("another-flow", f"the load was sent on {load['flow']}")]
    if load["stopped"]:
        return [violation("load-stopped", f"the load ended early: {load['stopped']}"), *_figures(load)]
    pairs = [(one, other) for one in load["arms"] for other in load["arms"] if _comparable(one, other)]
    if not pairs:
        return [unobserved("not-compared", "the load did not compare mtls with jwt over one path"), *_figures(load)]
    unserved = [arm for pair in pairs for arm in pair if not arm["served"]]
    if unserved:
        return [violation("never-served", f"not one event was served: {_name(unserved[0])}"), *_figures(load)]
    if not load["sentences"]:
        return [unobserved("too-short", "the load had fewer than two rounds"), *_figures(load)]
    return _figures(load)


def _comparable(one: LoadedArm, other: LoadedArm) -> bool:
    same = (one["path"], one["connections"]) == (other["path"], other["connections"])
    return same and (one["posture"], other["posture"]) == (Posture.MTLS, Posture.JWT)


def _name(arm: LoadedArm) -> str:
    return f"{arm['posture']}, {arm['path']}, {arm['connections']}"


def _figures(load: Loaded) -> list[Finding]:
    """The figures, as notes: what they mean for a deployment is its operator's to say."""
    asked = f"{load['rate']:g} events per second requested" if load["rate"] else f"{load['users']} clients at full load"
    figures = [f"{_name(arm)}: {arm['per_second']:.1f} events per second ({asked})" for arm in load["arms"]]
    return [note("figures", text) for text in (*figures, *load["sentences"], *load["remarks"])]
