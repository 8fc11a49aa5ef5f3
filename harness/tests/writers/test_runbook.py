"""A procedure as text, Markdown and shell: whatever a file calls its objects, it stays one word and no command."""

from __future__ import annotations

import subprocess

import pytest

from harness.model.runbook import Command, Runbook, Step, Table, Variable
from harness.writers import runbook as writer

HOSTILE = (
    "a; echo INJECTED",
    "$(echo INJECTED)",
    "`echo INJECTED`",
    "a' ; echo INJECTED '",
    "a\necho INJECTED\n",
    "a\u202eb",
)


def _book(name: str) -> Runbook:
    variable = Variable("CONTEXT_1", f"the context of {name}")
    step = Step(
        f"Renew {name}",
        f"Because of {name}",
        (Command.of("printf", "<%s>", "--", name).into("cat"),),
        by_hand=(f"look at {name}",),
        breaks=(name,),
        down=(name,),
    )
    other = Step("Look", "why", (Command.of("printf", "%s", variable),))
    return Runbook(name, name, (name,), (Table(name, ("a", "b"), ((name, name),)),), (step, other), closing=(name,))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_script_never_runs_a_name(name: str) -> None:
    script = writer.written(_book(name), "shell")
    ended = subprocess.run(
        ["/bin/sh", "-s"], input=script, env={"CONTEXT_1": "x"}, capture_output=True, text=True, check=False, timeout=20
    )
    assert "\nINJECTED" not in f"\n{ended.stdout}".replace("[Enter] INJECTED", "")
    assert all("INJECTED" not in line or "echo INJECTED" in line for line in ended.stdout.splitlines())
    assert "not found" not in ended.stderr


def test_a_script_asks_for_what_the_files_do_not_hold() -> None:
    script = writer.written(_book("x`$(echo INJECTED)`"), "shell")
    ended = subprocess.run(
        ["/bin/sh", "-s"], input=script, env={}, capture_output=True, text=True, check=False, timeout=20
    )
    assert ended.returncode != 0 and "CONTEXT_1" in ended.stderr and ended.stdout == ""


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", writer.FORMATS)
def test_no_control_character_is_left(name: str, form: str) -> None:
    shown = writer.written(_book(name), form)
    assert "\u202e" not in shown
    # A line break in a name would begin a line of its own: none begins with the words behind it.
    assert not any(line.startswith("echo INJECTED") for line in shown.splitlines())


def test_markdown_is_escaped() -> None:
    shown = writer.written(_book("<img src=x> | [a](b) *c*"), "markdown")
    outside = [line for line in shown.splitlines() if not line.startswith("    ")]
    assert not any("<img" in line.replace("\\<", "") for line in outside)
    assert not any("[a](b)" in line for line in outside)


@pytest.mark.parametrize("width", [80, 160])
def test_text_keeps_to_the_width(width: int) -> None:
    shown = writer.written(_book("secret-" * 3), "text", width)
    assert all(len(line) <= width for line in shown.splitlines())
