"""``hopproof plan``: what to change, so that balancers may terminate TLS.  Executes nothing outside the lab."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from harness.catalogue.registry import catalogue
from harness.commands.lint import add_paths, question_of
from harness.commands.renew import refuse_unread
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError, refuse
from harness.model.runbook import Runbook
from harness.products.rules import Plan
from harness.run import twin
from harness.targets import builtin
from harness.writers import runbook as writer


def add(verbs: Verbs) -> None:
    """Add ``plan``."""
    plan = verb(
        verbs, "plan", run, "plan the move to TLS termination: what to change, in which order, and who is verified"
    )
    add_paths(plan)
    plan.add_argument("--terminate", nargs="+", required=True, metavar="FLOW", help="the flows to terminate TLS on")
    plan.add_argument("--sheet", action="store_true", help="print the sheet for the network team instead")
    plan.add_argument(
        "--apply-to-twin",
        action="store_true",
        help="apply each state of the plan to the embedded lab, and show who is accepted",
    )
    plan.add_argument("--format", choices=writer.FORMATS, default="text", help="output format (default text)")


def run(arguments: Arguments) -> int:
    """Print the plan, the sheet, or what the lab showed; returns the exit status."""
    refuse(_mistakes(arguments))
    rules, question, unread = question_of(arguments)
    if rules.termination is None:
        raise UsageError(f"no plan can be made for the flows of {arguments.product!r}", hint="--product apic")
    refuse_unread(unread, question.files, rules.kinds)
    plan = rules.termination(question, arguments.terminate)
    if arguments.apply_to_twin:
        return _twin(plan, arguments)
    _show(plan.sheet if arguments.sheet else plan.steps, arguments)
    return 0


def _mistakes(arguments: Arguments) -> Iterator[UsageError]:
    if arguments.sheet and arguments.apply_to_twin:
        yield UsageError("--sheet and --apply-to-twin exclude each other", hint="use one of them")
    if arguments.format == "shell" and (arguments.sheet or arguments.apply_to_twin):
        yield UsageError("the shell format is for the plan only", hint="--format text or markdown")


def _show(shown: Runbook, arguments: Arguments) -> None:
    width = shutil.get_terminal_size((100, 24)).columns
    print(writer.written(shown, arguments.format, width), end="")  # noqa: T201


def _twin(plan: Plan, arguments: Arguments) -> int:
    """0 where every state is as the plan says, else 1."""
    known = catalogue()
    bench = builtin.embedded_bench(known, 0)
    try:
        shown = twin.show(bench, known.flows, plan.states)
    finally:
        bench.lab.close()
    _show(twin.document(shown), arguments)
    return 0 if all(each.as_expected for each in shown) else 1
