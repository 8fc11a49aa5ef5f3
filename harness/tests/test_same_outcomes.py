"""The script that compares the record of one lab with that of another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ONE, OTHER = "flows/FLW-0/a", "flows/FLW-0/b"


def _record(folder: Path, rows: Mapping[str, str], withheld: Mapping[str, str]) -> str:
    folder.mkdir()
    left_out = [{"case": case, "reason": reason} for case, reason in withheld.items()]
    header = dict.fromkeys(
        ("tool", "python", "target", "product", "depth", "catalogue_sha256", "started", "scope"), "x"
    )
    lines: list[dict[str, object]] = [
        {"kind": "header", "seed": 1, "fault": None, "planned": [], "withheld": left_out, "skipped": [], **header}
    ]
    for case, outcome in rows.items():
        facts = dict.fromkeys(
            ("level", "basis", "source", "flow", "posture", "path", "stimulus", "reason", "grade"), ""
        )
        message = {"requirement": "R", "expected": "x", "outcome": outcome, "reason_code": "c", "ms": 1}
        lines.append({"kind": "row", "case": case, **facts, **message, "evidence": {}})
    lines.append({"kind": "footer", "cases": len(rows), "trustworthy": True, "exit_status": 0, "seconds": 1.0})
    (folder / "run.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return str(folder)


@pytest.mark.parametrize(
    ("old", "new", "withheld", "status", "said"),
    [
        ({ONE: "PASS", OTHER: "PASS"}, {ONE: "PASS", OTHER: "PASS"}, {}, 0, "2 cases with the same outcome"),
        ({ONE: "PASS", OTHER: "PASS"}, {ONE: "PASS", OTHER: "FAIL"}, {}, 1, f"differs: {OTHER}"),
        ({ONE: "PASS", OTHER: "PASS"}, {ONE: "PASS"}, {}, 1, "no row"),
        ({ONE: "PASS", OTHER: "PASS"}, {ONE: "PASS"}, {OTHER: "no Docker"}, 0, f"{OTHER}: no Docker"),
        ({ONE: "PASS"}, {OTHER: "PASS"}, {}, 1, "0 cases with the same outcome"),
    ],
)
def test_records(
    tmp_path: Path, old: Mapping[str, str], new: Mapping[str, str], withheld: Mapping[str, str], status: int, said: str
) -> None:
    folders = [_record(tmp_path / "old", old, {}), _record(tmp_path / "new", new, withheld)]
    ran = subprocess.run(
        [sys.executable, ROOT / ".ci" / "same-outcomes", *folders],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (status, "")
    assert said in ran.stdout
