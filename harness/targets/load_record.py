"""What ``hopproof load`` wrote, for a run that is to judge it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.decode.shape import misfit
from harness.errors import UsageError
from harness.model.case import LOADED
from harness.model.observations import Loaded, LoadedArm
from harness.targets.builtin import Target

_HINT = "give the load.json that hopproof load wrote"


def with_load(target: Target, file: str) -> Target:
    """*target*, with the record of a load in *file*; raises :class:`UsageError` for any other."""
    load = read(Path(file))
    if load["target"] != target.name:
        what = f"the load was sent to {load['target']}, but this run judges {target.name}"
        raise UsageError(what, where=file, hint="run the load on the same target")
    bench = target.bench
    return replace(
        target,
        features=frozenset({*target.features, LOADED}),
        bench=lambda catalogue, seed: replace(bench(catalogue, seed), load=load),
    )


def read(file: Path) -> Loaded:
    """The record of a load in *file*; raises :class:`UsageError` where it is none."""
    try:
        data = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the load: {error.strerror}", where=str(file), hint=_HINT) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON: {error}", where=str(file), hint=_HINT) from error
    try:
        found = _loaded(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"not the record of a load: {error}", where=str(file), hint=_HINT) from error
    if wrong := misfit(found, Loaded):
        raise UsageError(f"not the record of a load: {wrong}", where=str(file), hint=_HINT)
    return found


def _loaded(data: Mapping[str, Any]) -> Loaded:
    return {
        "flow": data["flow"],
        "target": data["target"],
        "rate": data["rate"],
        "users": data["users"],
        "stopped": data["stopped"],
        "arms": [_arm(item) for item in data["arms"]],
        "sentences": [item["sentence"] for item in data["comparisons"]],
        "remarks": data["remarks"],
    }


def _arm(item: Mapping[str, Any]) -> LoadedArm:
    arm = item["arm"]
    return {
        "posture": arm["posture"],
        "path": arm["path"],
        "connections": arm["connections"],
        "served": item["served"],
        "per_second": item["per_second"],
        "p95": item["p95"],
    }
