"""The page: all of the record is in it, nothing of it can become markup, and it is written whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ReportError
from harness.model.record import Footer, Header, Row
from harness.model.vocabulary import Outcome
from harness.tests import builders
from harness.writers import page
from harness.writers.page import data
from harness.writers.page.guide import Guide
from harness.writers.rows import outcomes

HOSTILE = "</script><script>alert(1)</script>\u2028\u2029<img src=x onerror=alert(2)>\"'&<!--"
SHA = "5" * 64


def _row(number: int, outcome: str = "PASS", **more: Any) -> Row:
    location = {"requirement": "FLW-1", "flow": "management-to-portal", "posture": "jwt", "path": "direct"}
    parts: dict[str, Any] = {**location, "stimulus": f"good-{number}", "evidence": {"nonce": f"n{number}"}, **more}
    named = ("requirement", "flow", "posture", "path", "stimulus")
    return builders.row(outcome=outcome, **{**parts, "case": "/".join(["flows", *(parts[name] for name in named)])})


def _header(rows: Sequence[Row], **more: Any) -> Header:
    """Of a record from before headers named the selection, unless *more* has it."""
    usual = {"scope": "Servers on loopback. Out of scope: the rest."}
    made = builders.header(catalogue_sha256=SHA, planned=[row["case"] for row in rows], **{**usual, **more})
    if "only" not in more:
        del made["only"]
    return made


def _footer(**changes: Any) -> Footer:
    """Of a record from before there were answers, unless *changes* has one."""
    made = builders.footer(**changes)
    if "answer" not in changes:
        del made["answer"]
    return made


def _written(
    folder: Path, rows: Sequence[Row], guide: Guide | None = None, footer: Mapping[str, Any] | None = None, **more: Any
) -> str:
    last = _footer(**(footer or {}))
    return page.write(folder, _header(rows, **more), rows, last, guide or Guide(SHA)).read_text("utf-8")


class _Read(HTMLParser):
    """What an HTML parser makes of the page: tags with attributes, text, and each script's content by its id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = (dict(attrs).get("id") or "main") if tag == "script" else "style" if tag == "style" else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data
        else:
            self.text += f" {data}"


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", _Read(text).text)


def _evidence(read: _Read) -> list[dict[str, Any]]:
    blocks = [read.scripts[name] for name in sorted(read.scripts, key=lambda n: int(n.partition("-")[2] or -1))
              if name.startswith("block-")]  # fmt: skip
    return [item for block in blocks for item in json.loads(zlib.decompress(base64.b64decode(block)))]


def test_all_rows_and_their_evidence_are_in_the_page(tmp_path: Path) -> None:
    rows = [_row(number, ("PASS", "FAIL", "UNOBSERVED")[number % 3]) for number in range(2 * data.BLOCK + 7)]
    read = _Read(_written(tmp_path, rows))
    index = json.loads(read.scripts["index"])
    evidence = dict(zip(index["case"], _evidence(read), strict=True))
    assert evidence == {row["case"]: row["evidence"] for row in rows}
    column, table = index["columns"]["outcome"], index["tables"]["outcome"]
    counted = {name: [table[number] for number in column].count(name) for name in map(str, Outcome)}
    assert counted == outcomes(rows)


def test_the_first_screen_counts_what_the_record_counts(tmp_path: Path) -> None:
    rows = [_row(1), _row(2), _row(3, "FAIL", reason="let in"), _row(4, "FAIL", grade="client-only")]
    skipped = [{"case": "flows/FLW-2/x/jwt/direct/good", "reason": "no time"}]
    text = _words(_written(tmp_path, rows, skipped=skipped))
    assert "both-sides client-only Meaning" in text
    assert "✓ PASS 2 0 the requirement is met" in text
    assert "✗ FAIL 1 1 the requirement is broken" in text
    assert "○ skipped 1 skipped" in text
    assert "skipped 1 no time" in text


def test_a_selection_is_never_mistaken_for_a_whole_run(tmp_path: Path) -> None:
    text = _written(tmp_path, [_row(1)], only=["JWT-*", HOSTILE])
    assert (
        "A selection: only the cases that match JWT-*" in _words(text)
        and "the selected cases conform (a selection)" in text
    )
    assert HOSTILE not in text
    assert "selection" not in _words(_written(tmp_path, [_row(1)], only=[]))
    assert "selection" not in _words(_written(tmp_path, [_row(1)]))  # a record of before said nothing of it


def test_hostile_strings_stay_text(tmp_path: Path) -> None:
    rows = [_row(1, "FAIL", reason=HOSTILE, evidence={"client": {"response": {"body": HOSTILE}}}, stimulus=HOSTILE),
            _row(2, "UNOBSERVED", reason=HOSTILE, flow=HOSTILE, posture=HOSTILE, path=HOSTILE)]  # fmt: skip
    text = {"text": HOSTILE, "why": HOSTILE, "area": HOSTILE}
    guide = Guide("x", {"FLW-1": text}, {HOSTILE: {"client": HOSTILE, "server": HOSTILE, "endpoint": HOSTILE}})
    more = {"target": HOSTILE, "scope": HOSTILE, "fault": HOSTILE, "skipped": [{"case": HOSTILE, "reason": HOSTILE}]}
    written = _written(
        tmp_path, rows, guide, footer={"exit_status": 3, "trouble": [HOSTILE], "notes": [HOSTILE]}, **more
    )
    harmless = _Read(_written(tmp_path, [_row(1, "FAIL"), _row(2, "UNOBSERVED")], footer={"exit_status": 3}))
    read = _Read(written)
    assert "img" not in {tag for tag, _ in read.tags}
    assert [tag for tag, _ in read.tags].count("script") == [tag for tag, _ in harmless.tags].count("script")
    assert all(not name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert HOSTILE in read.text
    assert HOSTILE in json.loads(read.scripts["index"])["tables"]["reason"]
    assert {"\u2028", "<", "&"} & set(read.scripts["index"]) == set()
    assert HOSTILE in [row.get("client", {}).get("response", {}).get("body") for row in _evidence(read)]


def test_only_our_own_script_and_style_may_run(tmp_path: Path) -> None:
    read = _Read(_written(tmp_path, [_row(1)]))
    policy = next(attrs["content"] for tag, attrs in read.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    for name, content in (("script", read.scripts["main"]), ("style", read.scripts["style"])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy and f"{name}-src 'sha256-{digest}'" in policy
    assert policy and "default-src 'none'" in policy and "unsafe" not in policy
    loads = [attrs for tag, attrs in read.tags if "src" in attrs or tag == "link" or "style" in attrs]
    assert loads == []
    links = [attrs["href"] for _, attrs in read.tags if attrs.get("href")]
    assert links and all(link and link.startswith("#") for link in links)


def test_what_stands_behind_exit_status_0_is_said(tmp_path: Path) -> None:
    foreseen = _words(_written(tmp_path, [_row(1), _row(2, "FAIL"), _row(3, "UNOBSERVED")]))
    assert "does not conform" in foreseen and "A MUST is broken in 1 case, as expected (--expected)" in foreseen
    unseen = _words(_written(tmp_path, [_row(1), _row(3, "UNOBSERVED"), _row(2, "FAIL", level="SHOULD")]))
    assert "what could be observed conforms" in unseen and "1 case of a MUST could not be observed" in unseen
    assert "✓ conforms" in _words(_written(tmp_path, [_row(1), _row(2, "FAIL", level="SHOULD")]))


def test_what_it_behaves_like_is_shown(tmp_path: Path) -> None:
    one = {
        "flow": HOSTILE,
        "posture": "jwt",
        "faults": ["ignores-audience"],
        "seen": 11,
        "of": 12,
        "summary": "accepts any",
    }
    footer = {"exit_status": 1, "trouble": [], "diagnosis": [{**one, "change": HOSTILE}]}
    text = _written(tmp_path, [_row(1, "FAIL")], footer=footer)
    assert "behaves like ignores-audience (11 of 12): accepts any" in _words(text)
    assert HOSTILE not in text and HOSTILE in _Read(text).text


def test_that_everybody_is_let_in_stands_in_the_head(tmp_path: Path) -> None:
    row = _row(1, "FAIL", evidence={"extra": {"everybody_let_in": HOSTILE}})
    text = _written(tmp_path, [row], footer={"exit_status": 1, "trouble": []})
    assert "every client is let in: " in _words(text) and HOSTILE not in text
    assert _words(text).index("every client is let in: ") < _words(text).index("What was tested")


@pytest.mark.parametrize(
    ("rows", "footer", "words"),
    [
        ([_row(1)], {"answer": "conforms", "exit_status": 0}, "✓ yes"),
        ([_row(1)], {"answer": "untrustworthy", "exit_status": 3}, "! not trustworthy"),
        ([_row(1), _row(2, "HARNESS_ERROR")], {"answer": "untrustworthy", "exit_status": 3}, "! not trustworthy"),
        ([_row(1, "UNOBSERVED")], {"answer": "not-shown", "exit_status": 3}, "? not shown"),
        ([_row(1), _row(2, "FAIL", level="SHOULD")], {"answer": "conforms", "exit_status": 0}, "✓ yes"),
        ([_row(1), _row(2, "FAIL")], {"answer": "does-not-conform", "exit_status": 1}, "✗ no (1)"),
    ],
)
def test_as_required_is_yes_only_where_that_was_seen(
    tmp_path: Path, rows: list[Row], footer: dict[str, Any], words: str
) -> None:
    said = _words(_written(tmp_path, rows, footer=footer))
    assert words in said and ("✓ yes" in said) is (words == "✓ yes")


def test_what_is_not_shown_stands_in_the_head(tmp_path: Path) -> None:
    gap = {
        "flow": HOSTILE,
        "posture": "jwt",
        "protection": "token",
        "missing": ["exp-past"],
        "why": HOSTILE,
        "give": "a key",
    }
    footer = {"answer": "not-shown", "exit_status": 3, "not_shown": [{**gap, "give": "a key"}]}
    text = _written(tmp_path, [_row(1)], footer=footer)
    assert "? not shown" in _words(text) and "not tested: exp-past: " in _words(text)
    assert "Give a key." in _words(text) and HOSTILE not in text


def test_an_untrustworthy_run_says_so(tmp_path: Path) -> None:
    problems = ["no row of 3 planned cases"]
    text = _Read(_written(tmp_path, [_row(1)], footer={"exit_status": 3, "trouble": problems})).text
    assert "not trustworthy" in text and problems[0] in text
    assert "not trustworthy" not in _Read(_written(tmp_path, [_row(1)])).text


def test_the_notes_of_a_run_are_shown(tmp_path: Path) -> None:
    text = _words(_written(tmp_path, [_row(1)], footer={"exit_status": 0, "notes": ["HTTP/2 was not judged"]}))
    assert "Note: HTTP/2 was not judged" in text
    assert "Note:" not in _words(_written(tmp_path, [_row(1)]))


def test_what_is_in_the_target_s_own_way_is_not_called_untrustworthy(tmp_path: Path) -> None:
    footer = {"answer": "not-shown", "exit_status": 3, "cannot_judge": True, "trouble": ["it still asks"]}
    text = _words(_written(tmp_path, [_row(1, "UNOBSERVED")], footer=footer))
    assert "The target cannot be judged: it still asks" in text and "not shown: it cannot be judged" in text
    assert "not trustworthy" not in text


def test_a_run_without_rows_has_a_page(tmp_path: Path) -> None:
    text = _Read(_written(tmp_path, [], footer={"exit_status": 3, "trouble": ["no case was run"]})).text
    assert "no case was run" in text


def test_files_alone_have_no_topology_and_no_protection(tmp_path: Path) -> None:
    live = _written(tmp_path, [_row(1)])
    files = _written(tmp_path, [_row(1, grade="config")])
    for part in ('id="topology"', 'href="#topology"', 'class="protection"'):
        assert part in live and part not in files


def test_what_was_withheld_is_listed_with_its_reason(tmp_path: Path) -> None:
    withheld = [{"case": "flows/FLW-9/a-to-b/jwt/direct/good", "reason": "the target does not have in-cluster"}]
    read = _Read(_written(tmp_path, [_row(1)], withheld=withheld))
    assert "withheld 1 the target does not have in-cluster" in re.sub(r"\s+", " ", read.text)
    index = json.loads(read.scripts["index"])
    row = index["case"].index(withheld[0]["case"])
    assert index["tables"]["outcome"][index["columns"]["outcome"][row]] == "withheld"
    assert index["tables"]["requirement"][index["columns"]["requirement"][row]] == "FLW-9"


@pytest.mark.parametrize(("digest", "shown"), [(SHA, True), ("6" * 64, False)])
def test_the_kill_matrix_of_the_same_catalogue_only(tmp_path: Path, digest: str, shown: bool) -> None:
    row = {"fault": "lets-all-in", "killed_by": ["flows/FLW-1/a/jwt/direct/good"], "also_failed": []}
    kills = {"catalogue_sha256": digest, "faults": 1, "killed": 1, "survivors": [], "false_alarms": [], "rows": [row]}
    (tmp_path / "mutants.json").write_text(json.dumps(kills), "utf-8")
    text = _Read(_written(tmp_path, [_row(1)])).text
    assert ("lets-all-in" in text) is shown
    assert ("no kill matrix of this catalogue" in text) is not shown


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"catalogue_sha256": SHA})])
def test_a_broken_kill_matrix_breaks_no_page(tmp_path: Path, text: str) -> None:
    (tmp_path / "mutants.json").write_text(text, "utf-8")
    assert "no kill matrix of this catalogue" in _Read(_written(tmp_path, [_row(1)])).text


def test_the_old_page_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _written(tmp_path, [_row(1)])
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]

    def full(*_: object) -> Any:
        yield "<!doctype html>"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.writers.page.render._pieces", full)
    with pytest.raises(ReportError, match="No space left"):
        _written(tmp_path, [_row(1), _row(2)])
    assert (tmp_path / "index.html").read_text("utf-8") == before
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]
