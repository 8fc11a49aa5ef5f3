"""What a person reads at the terminal: what was judged, what failed, why it cannot be trusted, what to do next."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console as RichConsole

from harness.model.record import Footer, Header, Likeness, Row
from harness.model.vocabulary import INTERRUPTED
from harness.tests.builders import footer, header, row
from harness.writers.counts import Counts
from harness.writers.summary import Console

HEADER = header(scope="the reference, not [your] deployment.", planned=["a"], seed=5)


def console() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(RichConsole(file=text, width=200, highlight=False)), text


def _old_footer(status: int, **changes: Any) -> Footer:
    """Of a record from before there were answers, so that the status says what there is to say."""
    found = footer(exit_status=status, **changes)
    del found["answer"]
    return found


def ended(
    rows: list[Row],
    status: int = 0,
    trouble: tuple[str, ...] = (),
    diagnosis: tuple[Likeness, ...] = (),
    idle: tuple[str, ...] = (),
    **changes: Any,
) -> str:
    message, text = console()
    last = _old_footer(status, trouble=trouble, seconds=1.25, diagnosis=diagnosis, idle_exceptions=idle)
    message.end(cast("Header", {**HEADER, **changes}), rows, last, Path("out"))
    return text.getvalue()


def test_the_first_and_the_last_words_say_what_was_judged() -> None:
    message, text = console()
    message.begin(HEADER, 12)
    assert "not [your] deployment" in text.getvalue().splitlines()[0]
    assert "12 cases" in text.getvalue() and "seed 5" in text.getvalue()
    assert any("not [your] deployment" in line for line in ended([row()]).splitlines()[-3:])


def test_a_fault_is_reported_at_once() -> None:
    message, text = console()
    message.begin({**HEADER, "fault": "ignores-token"}, 12)
    assert "ignores-token" in text.getvalue()


def test_a_selection_is_named_first_and_last() -> None:
    message, text = console()
    message.begin({**HEADER, "only": ["JWT-3", "flows/*"]}, 12)
    assert "A selection: only the cases that match JWT-3, flows/*" in text.getvalue()
    assert "A selection: only the cases that match JWT-[3]" in ended([row()], only=["JWT-[3]"])
    assert "selection" not in ended([row()], only=[])


def test_what_comes_next_depends_on_whose_server_it_is() -> None:
    assert "hopproof mutants" in ended([row()])
    quick, full = (ended([row()], target="my target.yaml", depth=depth).splitlines() for depth in ("quick", "full"))
    assert quick[-1] == "Next: hopproof run --target 'my target.yaml' --depth full --report out"
    assert full[-1] == "Next: hopproof report out --format conformance"
    assert "The page: out/index.html" in quick and not any("credentials" in line for line in quick)
    assert "More credentials in x.yaml allow more cases" in ended([row(outcome="UNOBSERVED")], target="x.yaml")
    bad = ended([row(outcome="FAIL", reason="x")], target="my target.yaml").splitlines()
    assert bad[-1] == f"Next: hopproof explain {row()['case']} --target 'my target.yaml'"


FILES = "t.yaml + exports:f"


@pytest.mark.parametrize(
    ("rows", "changes", "command"),
    [
        ([row("apk/APK-2/a/jwt/direct/x"), row("apk/APK-1/a/jwt/direct/x")], {}, "hopproof explain APK-2"),
        ([row("apk/APK-2/a/jwt/direct/x"), row("flows/FLW-3/a/jwt/direct/x")], {}, "hopproof explain FLW-3"),
        ([row(outcome="UNOBSERVED"), row("apk/APK-1/a/jwt/direct/x")], {}, "hopproof explain APK-1"),
        ([row(outcome="FAIL")], {"target": FILES}, f"hopproof explain {row()['case']} --target '{FILES}'"),
        ([row(outcome="HARNESS_ERROR")], {"target": FILES}, "hopproof target check t.yaml"),
        ([row(outcome="HARNESS_ERROR")], {"target": "exports:f", "depth": "full"},
         "hopproof report out --format conformance"),
        ([row(), row(outcome="HARNESS_ERROR", reason=INTERRUPTED)],
         {"target": "t.yaml", "depth": "full", "only": ["JWT-3"], "fault": "x"},
         "hopproof run --target t.yaml --depth full --fault x --only JWT-3 --report out"),
    ],
)  # fmt: skip
def test_what_comes_next_is_about_something_that_the_run_has(
    rows: list[Row], changes: dict[str, Any], command: str
) -> None:
    assert ended(rows, **changes).splitlines()[-1] == f"Next: {command}"


def test_an_interruption_is_not_said_to_be_a_failure_of_the_harness() -> None:
    rows = [row(), row(outcome="HARNESS_ERROR", reason=INTERRUPTED), row(outcome="HARNESS_ERROR", reason="it broke")]
    text = ended(rows, 3)
    assert "1 HARNESS_ERROR (Hopproof or its lab failed" in text and "; 1 not run (the run was interrupted)" in text
    assert "1 judged, 1 not run, because the run was interrupted, 1 not judged, because Hopproof" in text
    assert "HARNESS_ERROR" not in ended(rows[:2], 3)


def test_where_the_table_does_not_fit_each_flow_is_a_sentence() -> None:
    text = io.StringIO()
    Console(RichConsole(file=text, width=40, highlight=False)).end(HEADER, [row()], _old_footer(0), Path("out"))
    assert "\u2026" not in text.getvalue()
    assert "1/1; conforms: " in " ".join(text.getvalue().split())


def test_in_a_narrow_terminal_no_word_is_cut() -> None:
    text = io.StringIO()
    Console(RichConsole(file=text, width=80, highlight=False)).end(HEADER, [row()], _old_footer(0), Path("out"))
    message = " ".join(text.getvalue().split())
    assert "management-to-portal: client verified by not shown (mtls); payload readable at nowhere" in message
    assert max(map(len, text.getvalue().splitlines())) <= 80


def test_control_characters_of_a_target_do_nothing() -> None:
    text = ended([row(outcome="FAIL", reason="\x1b[2Jgone \x9b31m [red]")], 1)
    assert "\x1b" not in text and "\x9b" not in text and "\ufffd[2Jgone" in text and "[red]" in text


def test_a_line_to_paste_is_not_folded() -> None:
    text = io.StringIO()
    long = f"{'deep/' * 30}target.yaml"
    message = Console(RichConsole(file=text, width=80, highlight=False))
    message.end({**HEADER, "target": long}, [row(outcome="FAIL")], _old_footer(1), Path("out"))
    assert text.getvalue().splitlines()[-1].endswith(f"--target {long}")


def test_that_everybody_is_let_in_comes_first() -> None:
    observed: dict[str, Any] = {
        "evidence": {
            "extra": {"everybody_let_in": "a.test answers 200 to a client without credentials and a [stranger] alike"}
        }
    }
    rows = [row(), row(outcome="FAIL", **observed), row(outcome="UNOBSERVED", **observed)]
    lines = [line for line in ended(rows, 1).splitlines() if line]
    how = "a.test answers 200 to a client without credentials and a [stranger] alike"
    message = f"management-to-portal (mtls): every client is let in: {how}"
    assert lines[0] == message and "everybody" not in ended([row()])


@pytest.mark.parametrize(
    ("status", "words"), [(0, "conforms"), (1, "does not conform"), (3, "the run is not trustworthy")]
)
def test_the_result(status: int, words: str) -> None:
    text = ended([row()], status)
    assert f"{words} (exit status {status})" in text
    assert "out/run.jsonl" in text


def test_failures_are_shown_as_they_are_and_not_too_many() -> None:
    rows = [row(f"flows/REQ-{n}/a/mtls/direct/x", "FAIL", reason="[red]said[/] <so>") for n in range(15)]
    text = ended(rows, 1)
    assert text.count("[red]said[/] <so>") == 12
    assert "and 3 more findings" in text
    assert "hopproof explain flows/REQ-0/a/mtls/direct/x" in text


def test_problems_are_reported() -> None:
    assert "not trustworthy: it died [really]" in ended([row(outcome="HARNESS_ERROR")], 3, ("it died [really]",))


def test_every_outcome_has_a_legend() -> None:
    for outcome in ("PASS", "FAIL", "WRONG_REASON", "UNOBSERVED", "UNSUPPORTED", "HARNESS_ERROR"):
        assert f"1 {outcome} (" in ended([row(outcome=outcome)])


def test_what_was_left_out_is_counted() -> None:
    counts = Counts(catalogue=12, withheld=2, apply=10, run=1, deeper=5, unselected=1, skipped=3)
    text = ended([row()], counts=counts.to_json())
    assert "In the catalogue for this target: 12 cases; 10 apply, 2 withheld." in text
    assert "Of the 10 that apply: 1 in this run, 5 left for --depth full, 1 not selected (--only), 3 skipped" in text
    assert "Of the 1 in this run: 1 judged." in text


def _line(rows: list[Row], flow: str) -> str:
    return next(line for line in ended(rows).splitlines() if line.startswith(flow))


def test_a_line_a_flow() -> None:
    rows = [row("f/R/one/mtls/direct/x"), row("f/R/one/mtls/direct/y", "FAIL"), row("f/R/two/mtls/passthrough/x")]
    assert "1/2" in _line(rows, "one") and " no " in _line(rows, "one")
    assert "1/1" in _line(rows, "two") and " yes " in _line(rows, "two")


@pytest.mark.parametrize("outcome", ["HARNESS_ERROR", "UNOBSERVED"])
def test_an_unseen_flow_does_not_conform(outcome: str) -> None:
    assert " yes " not in _line([row("f/R/one/mtls/direct/x", outcome)], "one")


def test_a_flow_without_a_must_is_not_said_to_conform() -> None:
    assert " yes " not in _line([row("f/R/one/mtls/direct/x", "FAIL", level="SHOULD")], "one")


def test_progress_in_plain_lines() -> None:
    message, text = console()
    for done in range(1, 31):
        message.progress(row(), done, 30)
    lines = text.getvalue().split("\n")
    assert lines[0].strip() == "3/30 cases" and lines[-2].strip() == "30/30 cases"
    assert len(lines) < 15


def test_what_it_behaves_like_and_what_to_change() -> None:
    one: Likeness = {
        "flow": "client-to-[x]",
        "posture": "jwt",
        "faults": ["ignores-audience", "other"],
        "seen": 11,
        "of": 12,
        "summary": "accepts any",
        "change": "Configure it.",
    }
    text = ended([row()], 1, diagnosis=(one,))
    assert "client-to-[x] (jwt) behaves like ignores-audience or other (11 of 12): accepts any" in text
    assert "what to change: Configure it." in text


def test_a_recommendation_never_stands_under_does_not_conform() -> None:
    rows = [row("f/A/x/mtls/direct/x", "FAIL", level="SHOULD"), row("f/B/x/mtls/direct/x", "FAIL")]
    lines = ended(rows, 1).splitlines()
    places = [
        next(number for number, line in enumerate(lines) if text in line)
        for text in ("Does not conform:", "B is broken: MUST, 1 case (B)", "Recommendations not", "A is broken: SHOULD")
    ]
    assert places == sorted(places)
    assert "Does not conform:" not in ended(rows[:1])


def test_known_failures_are_shown_with_why_by_whom_and_how_long() -> None:
    excuse = {"reason": "until the [upgrade]", "owner": "me", "expires": "2027-01-31"}
    rows = [
        row(outcome="FAIL", known=excuse, as_expected=True, finding="Anybody gets in"),
        row("f/R/a/mtls/direct/x", as_expected=False),
    ]
    text = ended(rows, 1, idle=("f/GONE/*",))
    assert "known failure (until the [upgrade]; owner me; until 2027-01-31): FAIL flows/REQ-1" in text
    assert "f/R/a/mtls/direct/x passes now: remove its entry" in text
    assert "the entry f/GONE/* matches no case of this run" in text
    assert "Does not conform" not in text and "Anybody gets in" not in text


GAP = {
    "flow": "management-to-portal",
    "posture": "mtls",
    "protection": "certificate",
    "missing": ["ta-unknown-ca"],
    "why": "no [key]",
    "give": "client.ca_key",
}


def test_what_is_not_shown_is_said_with_what_to_give() -> None:
    message, text = console()
    last = footer(exit_status=3, answer="not-shown", not_shown=[GAP])
    rows = [row(), row(outcome="PASS", expected="certificate-refused", stimulus="tls-no-cert", grade="client-only")]
    message.end({**HEADER, "target": "t.yaml"}, rows, last, Path("out"))
    said = text.getvalue()
    assert "not shown: management-to-portal (mtls)" in said and "ta-unknown-ca: no [key]" in said
    assert "give client.ca_key" in said and "Result: not shown (exit status 3)" in said
    assert "certificate (in part) (mtls)" in said and "  yes  " not in said


def test_an_endpoint_that_is_declared_open_claims_nothing() -> None:
    claim = {"flow": "client-to-service", "posture": "tls-only", "path": "direct", "certificate": False, "token": False}
    said = ended([row()], claims=[claim])
    assert "client-to-service (tls-only) claims no client authentication" in said
    assert "Result: conforms; it claims no client authentication (exit status 0)" in said
