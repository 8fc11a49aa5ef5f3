"""A procedure as text, Markdown or a shell script.  Every word of a command is quoted, every text is escaped."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator, Sequence

from harness.model.runbook import Command, Runbook, Step, Table, Variable, Word
from harness.writers.file_findings import plain

FORMATS = ("text", "markdown", "shell")
_FEW = 3
"""So many columns are told apart without their heads."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#!])")


def written(runbook: Runbook, form: str, width: int = 100) -> str:
    """*runbook* in one of :data:`FORMATS`; *width* is the terminal's, for text."""
    parts = {
        "text": lambda: _text(runbook, width),
        "markdown": lambda: _markdown(runbook),
        "shell": lambda: _shell(runbook),
    }
    return "\n".join(parts[form]()) + "\n"


def line(command: Command) -> str:
    """*command* as one line for a POSIX shell."""
    return " | ".join(" ".join(map(_quoted, words)) for words in command.pipeline)


def _quoted(word: Word) -> str:
    if isinstance(word, Variable):
        return f'"${word.name}"'
    return shlex.quote(plain(word))


# Text


def _text(runbook: Runbook, width: int) -> Iterator[str]:
    yield from _wrapped(runbook.title, width)
    yield from _wrapped(runbook.heading, width)
    for remark in runbook.remarks:
        yield from _wrapped(f"Note: {remark}", width, "      ")
    for table in runbook.before:
        yield from _text_table(table, width)
    if runbook.variables:
        yield ""
        yield "Give first:"
        for variable in runbook.variables:
            yield from _wrapped(f"  {variable.name}: {variable.meaning}", width, "    ")
    for number, step in enumerate(runbook.steps, 1):
        yield from _text_step(number, step, width)
    for table in runbook.after:
        yield from _text_table(table, width)
    for closing in runbook.closing:
        yield ""
        yield from _wrapped(closing, width)


def _text_step(number: int, step: Step, width: int) -> Iterator[str]:
    yield ""
    of = f"  ({', '.join(step.requirements)})" if step.requirements else ""
    yield from _wrapped(f"{number}. {step.title}{of}", width, "   ")
    yield from _wrapped(f"   {step.why}", width, "   ")
    for command in step.commands:
        yield f"     {line(command)}"  # never wrapped: it is to be pasted
    for hand in step.by_hand:
        yield from _wrapped(f"   By hand: {hand}", width, "     ")
    for said in _states(step):
        yield from _wrapped(f"   {said}", width, "     ")


def _states(step: Step) -> Iterator[str]:
    if not step.states:
        return
    if step.breaks:
        yield f"✗ stops: {', '.join(step.breaks)}"
    if step.restores:
        yield f"✓ works again: {', '.join(step.restores)}"
    still = [flow for flow in step.down if flow not in step.breaks]
    if still:
        yield f"· still down: {', '.join(still)}"
    if not step.down:
        yield "✓ every flow works after it"


def _text_table(table: Table, width: int) -> Iterator[str]:
    yield ""
    yield from _wrapped(f"{table.title}:", width)
    rows = [tuple(map(plain, row)) for row in table.rows]
    sizes = [max(map(len, column)) for column in zip(table.columns, *rows, strict=True)]
    if sum(sizes) + 2 * len(sizes) <= width:
        for row in (table.columns, *rows):
            yield "  " + "  ".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=True)).rstrip()
    elif len(sizes) <= _FEW:
        for row in rows:
            yield from _wrapped(f"  {row[0]}: {'; '.join(filter(None, row[1:]))}", width, "    ")
    else:
        for row in rows:
            yield from _wrapped(f"  {row[0]}", width, "    ")
            for head, cell in zip(table.columns[1:], row[1:], strict=True):
                if cell:
                    yield from _wrapped(f"    {head}: {cell}", width, "      ")
    if table.note:
        yield from _wrapped(f"  {table.note}", width, "  ")


def _wrapped(text: str, width: int, hanging: str = "") -> Sequence[str]:
    shown = plain(text)
    return textwrap.wrap(
        shown, max(width, 40), subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    ) or [""]


# Markdown


def _md(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", plain(text))


def _markdown(runbook: Runbook) -> Iterator[str]:
    yield f"# {_md(runbook.title)}"
    yield ""
    yield _md(runbook.heading)
    for remark in runbook.remarks:
        yield ""
        yield f"> {_md(remark)}"
    for table in runbook.before:
        yield from _markdown_table(table)
    if runbook.variables:
        yield ""
        yield from (f"- `{variable.name}`: {_md(variable.meaning)}" for variable in runbook.variables)
    for number, step in enumerate(runbook.steps, 1):
        yield from _markdown_step(number, step)
    for table in runbook.after:
        yield from _markdown_table(table)
    for closing in runbook.closing:
        yield ""
        yield _md(closing)


def _markdown_step(number: int, step: Step) -> Iterator[str]:
    of = f" ({', '.join(step.requirements)})" if step.requirements else ""
    yield ""
    yield f"## {number}. {_md(step.title)}{of}"
    yield ""
    yield _md(step.why)
    if step.commands:
        # Indented: no text of a file can end such a block, as it could a fenced one.
        yield ""
        yield from (f"    {line(command)}" for command in step.commands)
    for said in (*(f"By hand: {hand}" for hand in step.by_hand), *_states(step)):
        yield ""
        yield _md(said)


def _markdown_table(table: Table) -> Iterator[str]:
    yield ""
    yield f"## {_md(table.title)}"
    yield ""
    yield f"| {' | '.join(map(_md, table.columns))} |"
    yield f"|{'---|' * len(table.columns)}"
    for row in table.rows:
        yield f"| {' | '.join(map(_md, row))} |"
    if table.note:
        yield ""
        yield _md(table.note)


# Shell


def _shell(runbook: Runbook) -> Iterator[str]:
    yield "#!/bin/sh"
    yield from _comment(runbook.title)
    yield from _comment(runbook.heading)
    yield from _comment("Read it before you run it: Hopproof has executed none of it.")
    for remark in runbook.remarks:
        yield from _comment(f"Note: {remark}")
    yield "set -eu"
    for variable in runbook.variables:
        yield f': "${{{variable.name}:?set it to {_meaning(variable)}}}"'
    for number, step in enumerate(runbook.steps, 1):
        yield ""
        yield from _comment(f"{number}. {step.title}")
        yield from _comment(step.why)
        for said in (*(f"By hand: {hand}" for hand in step.by_hand), *_states(step)):
            yield from _comment(said)
        yield f"echo {shlex.quote(plain(f'{number}. {step.title}'))}"
        yield from (line(command) for command in step.commands)
        for hand in step.by_hand:
            yield f"printf '%s [Enter] ' {shlex.quote(plain(f'By hand: {hand}'))}; read -r _"


def _meaning(variable: Variable) -> str:
    """Inside double quotes nothing of it may be taken for more than text."""
    return re.sub(r"[^\w ,.:/-]", " ", plain(variable.meaning), flags=re.ASCII)


def _comment(text: str) -> Iterator[str]:
    yield from (f"# {each}" for each in textwrap.wrap(plain(text), 100, break_on_hyphens=False))
