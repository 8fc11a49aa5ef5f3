"""The record: a whole file or none, whatever the disk does; and that a broken one is not read."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ReportError, UsageError
from harness.tests.builders import row
from harness.writers import junit
from harness.writers.record import NAME, Recorder, read

HEADER: dict[str, Any] = {"tool": "hopproof", "planned": [row()["case"]], "seed": 1, "target": "embedded"}
FOOTER: dict[str, Any] = {"cases": 1}
DRAFT = ".run.jsonl.part"
FULL = Path("/dev/full")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_header_rows_footer(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new" / "folder", HEADER)
    recorder.write(row())
    file = recorder.finish(FOOTER)
    assert file == tmp_path / "new" / "folder" / NAME
    assert lines(file) == [{"kind": "header", **HEADER}, row(), {"kind": "footer", **FOOTER}]
    assert read(file) == read(file.parent) == ({"kind": "header", **HEADER}, [row()], {"kind": "footer", **FOOTER})
    assert os.listdir(file.parent) == [NAME]


def test_nothing_is_called_a_record_before_its_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, HEADER)
    recorder.write(row())
    assert os.listdir(tmp_path) == [DRAFT]
    assert len(lines(tmp_path / DRAFT)) == 2
    recorder.finish(FOOTER)


def test_an_abandoned_record_leaves_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, HEADER)
    recorder.write(row())
    recorder.abandon()
    assert os.listdir(tmp_path) == []


def test_an_abandoned_record_does_not_leave_the_last_runs(tmp_path: Path) -> None:
    Recorder(tmp_path, {**HEADER, "seed": 1}).finish(FOOTER)
    Recorder(tmp_path, {**HEADER, "seed": 2}).abandon()
    assert not (tmp_path / NAME).exists()


def test_the_last_record_wins(tmp_path: Path) -> None:
    for seed in (1, 2):
        recorder = Recorder(tmp_path, {**HEADER, "seed": seed})
        recorder.write(row())
        recorder.finish(FOOTER)
    assert read(tmp_path)[0]["seed"] == 2


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
class TestAFullDisk:
    """/dev/full takes nothing: every write fails as on a disk without room."""

    @pytest.fixture
    def full(self, tmp_path: Path) -> Path:
        (tmp_path / DRAFT).symlink_to(FULL)
        return tmp_path

    def test_from_the_start(self, full: Path) -> None:
        with pytest.raises(ReportError, match="No space left"):
            Recorder(full, HEADER)

    def test_later(self, full: Path, tmp_path: Path) -> None:
        (full / DRAFT).unlink()
        recorder = Recorder(full, HEADER)
        with FULL.open("w", encoding="utf-8") as disk:
            recorder._file.close()
            recorder._file = disk
            with pytest.raises(ReportError, match="No space left") as caught:
                recorder.write(row())
            assert caught.value.exit_status == 3
            with pytest.raises(ReportError):
                recorder.finish(FOOTER)
            recorder.abandon()
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_folder_that_cannot_be(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("in the way", "utf-8")
    with pytest.raises(UsageError, match="cannot be written") as caught:
        Recorder(file / below, HEADER)
    assert str(file) in caught.value.where
    assert file.read_text("utf-8") == "in the way"


def test_several_threads(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {**HEADER, "planned": []})

    def write(worker: int) -> None:
        for number in range(50):
            recorder.write(row(f"flows/REQ-{worker}/a/mtls/direct/{number}", reason="x" * 3000))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.finish({"cases": 200})
    assert len({item["case"] for item in read(tmp_path)[1]}) == 200


def test_what_no_file_can_hold(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, HEADER)
    recorder.write(row(reason="\ud800 \u2028 \x00 \x1b[31m\n"))
    recorder.finish(FOOTER)
    assert read(tmp_path)[1][0]["reason"] == "\ud800 \u2028 \x00 \x1b[31m\n"


def test_what_is_no_json(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, HEADER)
    with pytest.raises(TypeError):
        recorder.write(row(reason=object()))
    recorder.abandon()


# Reading

# What report and replay read of a row.
NEEDED = ("case", "requirement", "flow", "outcome", "reason", "ms")
WHOLE = [{"kind": "header", **HEADER}, row(), {"kind": "footer", **FOOTER}]


def stored(folder: Path, content: list[dict[str, Any]]) -> Path:
    (folder / NAME).write_text("".join(json.dumps(line) + "\n" for line in content), "utf-8")
    return folder


@pytest.mark.parametrize(
    "content",
    [
        [],
        WHOLE[:1],
        WHOLE[:2],
        WHOLE[1:],
        [WHOLE[1], WHOLE[0], WHOLE[2]],
        [*WHOLE, WHOLE[1]],
        [WHOLE[0], WHOLE[0], WHOLE[2]],
        [WHOLE[0], {"kind": "noise"}, WHOLE[2]],
        [WHOLE[0], {}, WHOLE[2]],
    ],
)
def test_a_record_that_is_not_whole(tmp_path: Path, content: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="not whole"):
        read(stored(tmp_path, content))


@pytest.mark.parametrize("text", ["not json", '{"kind": "header"', "[1, 2]\n3\n", "null\nnull\n", "\xff"])
def test_a_file_that_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError):
        read(tmp_path)


def test_no_record_at_all(tmp_path: Path) -> None:
    for location in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no record"):
            read(location)


@pytest.mark.parametrize(
    "content",
    [
        [WHOLE[0], {"kind": "row"}, WHOLE[2]],
        [WHOLE[0], WHOLE[2]],
        [{"kind": "header", **HEADER, "planned": ["a", "b"]}, WHOLE[1], WHOLE[2]],
        [{"kind": "header"}, WHOLE[1], WHOLE[2]],
        *([WHOLE[0], {key: value for key, value in row().items() if key != name}, WHOLE[2]] for name in NEEDED),
    ],
    ids=["empty row", "a row lost", "never run", "empty header", *NEEDED],
)
def test_a_record_with_holes(tmp_path: Path, content: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError):
        read(stored(tmp_path, content))


def test_a_row_without_its_source(tmp_path: Path) -> None:
    content = [WHOLE[0], {key: value for key, value in row(outcome="FAIL").items() if key != "source"}, WHOLE[2]]
    with pytest.raises(UsageError):
        junit.write(tmp_path, read(stored(tmp_path, content))[1])


def test_a_record_made_under_the_former_name_is_read(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {**HEADER, "tool": "flowproof 0.1.0"})
    recorder.write(row())
    recorder.finish(FOOTER)
    header, rows, _ = read(tmp_path)
    assert (header["tool"], rows) == ("flowproof 0.1.0", [row()])
