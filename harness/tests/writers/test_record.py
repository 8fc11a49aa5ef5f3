"""The record: a whole file or none, whatever the disk does; and that a broken one is not read."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ReportError, UsageError
from harness.model.record import Footer, Header
from harness.tests.builders import footer, header, row
from harness.writers import junit
from harness.writers.record import NAME, Recorder, read

HEADER: Header = header()
FOOTER: Footer = footer()
DRAFT = ".run.jsonl.part"
FULL = Path("/dev/full")


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_header_rows_footer(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new" / "folder", HEADER)
    recorder.write(row())
    file = recorder.finish(FOOTER)
    assert file == tmp_path / "new" / "folder" / NAME
    assert lines(file) == [HEADER, row(), FOOTER]
    assert read(file) == read(file.parent) == (HEADER, [row()], FOOTER)
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
    Recorder(tmp_path, header(seed=1)).finish(FOOTER)
    Recorder(tmp_path, header(seed=2)).abandon()
    assert not (tmp_path / NAME).exists()


def test_the_last_record_wins(tmp_path: Path) -> None:
    for seed in (1, 2):
        recorder = Recorder(tmp_path, header(seed=seed))
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
    recorder = Recorder(tmp_path, header(planned=[]))

    def write(worker: int) -> None:
        for number in range(50):
            recorder.write(row(f"flows/REQ-{worker}/a/mtls/direct/{number}", reason="x" * 3000))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.finish(footer(cases=200))
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
WHOLE = [HEADER, row(), FOOTER]


def stored(folder: Path, content: list[Any]) -> Path:
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
def test_a_record_that_is_not_whole(tmp_path: Path, content: list[Any]) -> None:
    with pytest.raises(UsageError, match="incomplete"):
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
        [header(planned=["a", "b"]), WHOLE[1], WHOLE[2]],
        [{"kind": "header"}, WHOLE[1], WHOLE[2]],
        *([WHOLE[0], {key: value for key, value in row().items() if key != name}, WHOLE[2]] for name in NEEDED),
    ],
    ids=["empty row", "a row lost", "never run", "empty header", *NEEDED],
)
def test_a_record_with_holes(tmp_path: Path, content: list[Any]) -> None:
    with pytest.raises(UsageError):
        read(stored(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([header(seed="7"), row(), FOOTER], "seed is text, not an integer"),
        ([header(planned="all"), row(), FOOTER], "planned is text, not an array"),
        ([header(planned=[7]), row(), FOOTER], r"planned\[0\] is an integer, not text"),
        ([header(fault=[]), row(), FOOTER], "fault is an array, not text"),
        ([header(withheld=[{"case": "a"}]), row(), FOOTER], r"withheld\[0\].reason is missing"),
        ([header(counts={}), row(), FOOTER], "counts.* is missing"),
        ([HEADER, row(ms=True), FOOTER], "ms is true or false, not a number"),
        ([HEADER, row(case=None), FOOTER], "case is null, not text"),
        ([HEADER, row(outcome="FINE"), FOOTER], "outcome is 'FINE', not 'PASS', 'FAIL'"),
        ([HEADER, row(evidence=[]), FOOTER], "evidence is an array, not an object"),
        ([HEADER, row(evidence={"client": {"token": "eyJ"}}), FOOTER], "evidence.client.token is text, not an object"),
        ([HEADER, row(evidence={"extra": {"curl": 1}}), FOOTER], "evidence.extra.curl is an integer, not text"),
        ([HEADER, row(known={"reason": "x", "owner": 5, "expires": None}), FOOTER], "known.owner is an integer"),
        ([HEADER, row(), footer(answer="well")], "answer is 'well'"),
        ([HEADER, row(), footer(cases="1")], "cases is text, not an integer"),
        ([HEADER, row(), footer(not_shown=[{}])], r"not_shown\[0\]\..* is missing"),
    ],
)
def test_a_member_of_the_wrong_kind(tmp_path: Path, content: list[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(stored(tmp_path, content))
    assert caught.value.exit_status == 2
    assert NAME in caught.value.where


def test_what_readers_do_not_need_is_left_alone(tmp_path: Path) -> None:
    """Another release's record may have more, and what only a check reads may have another form there."""
    odd = row(evidence={"extra": {"ways": [], "new": 1}, "new": 1}, new=[1])
    assert read(stored(tmp_path, [header(new=1), odd, footer(new=None)])).rows == [odd]


def test_a_record_of_an_earlier_release(tmp_path: Path) -> None:
    """Before there were answers, claims, counts and sentences."""
    old: list[dict[str, Any]] = [dict(HEADER), dict(row()), dict(FOOTER)]
    for line, names in zip(
        old, (("only", "claims", "expected"), ("known", "finding", "as_expected"), ("answer", "not_shown")), strict=True
    ):
        for name in names:
            del line[name]
    assert [*read(stored(tmp_path, old))] == [old[0], [old[1]], old[2]]


def test_a_row_without_its_source(tmp_path: Path) -> None:
    content = [WHOLE[0], {key: value for key, value in row(outcome="FAIL").items() if key != "source"}, WHOLE[2]]
    with pytest.raises(UsageError):
        junit.write(tmp_path, read(stored(tmp_path, content)).rows, footer())


def test_a_record_made_under_the_former_name_is_read(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, header(tool="flowproof 0.1.0"))
    recorder.write(row())
    recorder.finish(FOOTER)
    found = read(tmp_path)
    assert (found.header["tool"], found.rows) == ("flowproof 0.1.0", [row()])
