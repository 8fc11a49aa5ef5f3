"""How large the report page is and how soon it stands there, by the number of rows; asserts nothing.

python -m tools.benchmarks.page REPORT     REPORT: a run's folder, whose rows are repeated (needs the extra `browser`)
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.model.record import Record, Row
from harness.run.page_guide import guide
from harness.writers import page, record
from tools.browser.chromium import driver

SIZES = (300, 3_000, 30_000)
OPENINGS = 3
_READY = """
    const done = arguments[0], root = document.documentElement, ready = () => Number(root.dataset.ready);
    if (root.dataset.ready) done(ready());
    else new MutationObserver(() => done(ready())).observe(root, {attributes: true});
"""
_FILTER = """
    const before = performance.now();
    show({outcome: 'FAIL'});
    document.body.offsetHeight;
    return performance.now() - before;
"""


def numbered(row: Row, number: int) -> Row:
    """A copy of *row* that is another case's."""
    copy = row.copy()
    copy["case"], copy["stimulus"] = f"{row['case']}-{number}", f"{row['stimulus']}-{number}"
    return copy


def written(folder: Path, size: int, found: Record) -> tuple[Path, float]:
    """A page of *size* rows in *folder*, and the seconds it took to write."""
    header, rows, footer = found
    times = -(-size // len(rows))
    many = list(itertools.islice((numbered(row, n) for n in range(times) for row in rows), size))
    started = time.monotonic()
    file = page.write(folder, {**header, "planned": [row["case"] for row in many]}, many, footer, guide())
    return file, time.monotonic() - started


def opened(chromium: Any, file: Path) -> float:
    """Milliseconds until everything stood there."""
    chromium.get("about:blank")
    chromium.get(f"file://{file}")
    return float(chromium.execute_async_script(_READY))


def main(report: Path) -> None:
    """Prints a line for each size."""
    found = record.read(report)
    with tempfile.TemporaryDirectory() as name:
        chromium = driver(Path(name) / "profile")
        chromium.set_script_timeout(60)
        try:
            print("  rows      size   written    opens   filters")
            for size in SIZES:
                file, seconds = written(Path(name), size, found)
                opening = min(opened(chromium, file) for _ in range(OPENINGS))
                filtering = chromium.execute_script(_FILTER)
                megabytes = file.stat().st_size / 1e6
                print(f"{size:6d}  {megabytes:5.1f} MB  {seconds:6.1f} s  {opening:4.0f} ms  {filtering:5.0f} ms")
        finally:
            chromium.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
