"""``hopproof plan``: what to change, in which order, so that balancers may terminate TLS.  Executes nothing."""

from __future__ import annotations

import shutil

from harness.commands.lint import add_paths, question_of
from harness.commands.renew import refuse_unread
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.writers import runbook as writer


def add(verbs: Verbs) -> None:
    """Add ``plan``."""
    plan = verb(
        verbs, "plan", run, "how to let balancers terminate TLS: what to change, in which order, who is verified"
    )
    add_paths(plan)
    plan.add_argument("--terminate", nargs="+", required=True, metavar="FLOW", help="the flows to terminate TLS on")
    plan.add_argument("--sheet", action="store_true", help="print the sheet for the network team instead")
    plan.add_argument("--format", choices=writer.FORMATS, default="text")


def run(arguments: Arguments) -> int:
    """Print the plan or the sheet; returns the exit status."""
    if arguments.sheet and arguments.format == "shell":
        raise UsageError("the sheet has no commands", hint="--format text or markdown")
    rules, question, unread = question_of(arguments)
    if rules.termination is None:
        raise UsageError(f"there is no plan for the flows of {arguments.product!r}", hint="--product apic")
    refuse_unread(unread)
    plan = rules.termination(question, arguments.terminate)
    width = shutil.get_terminal_size((100, 24)).columns
    print(writer.written(plan.sheet if arguments.sheet else plan.steps, arguments.format, width), end="")  # noqa: T201
    return 0
