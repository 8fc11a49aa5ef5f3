"""``hopproof explain``: a requirement or a case in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.catalogue import Catalogue
from harness.catalogue.glossary import Here, explain
from harness.catalogue.product import of_product
from harness.catalogue.registry import catalogue
from harness.commands.verb import Arguments, Verbs, verb
from harness.config import validated
from harness.errors import UsageError
from harness.model.case import Case
from harness.model.vocabulary import is_file
from harness.targets import file as target_file
from harness.targets.builtin import find
from harness.targets.deployment import Deployment
from harness.targets.flows import stand_ins
from harness.targets.named import target_of
from harness.writers import record


def add(verbs: Verbs) -> None:
    """Add ``explain``."""
    words = verb(
        verbs, "explain", _explain, "explain a requirement or a case: source, reason, what is sent, what must happen"
    )
    words.add_argument("id", metavar="ID", help="the id of a requirement or a case")
    words.add_argument("--target", metavar="FILE", help="as it applies to this target file")
    words.add_argument("--product", default="", metavar="NAME", help="as it applies to this product")
    words.add_argument("--report", type=Path, metavar="DIR", help="as it applied to the target of this record")


def _explain(arguments: Arguments) -> int:
    print(explained(arguments))  # noqa: T201
    return 0


def explained(arguments: Arguments) -> str:
    """The explanation of a requirement or a case, for the target that *arguments* name, or the documents' own."""
    if arguments.product and (arguments.target or arguments.report):
        raise UsageError("--product selects among the documented flows", hint="leave out --target and --report")
    if arguments.target and arguments.report:
        raise UsageError("--target and --report name different targets", hint="use one of them")
    named = str(record.read(arguments.report)[0]["target"]) if arguments.report else arguments.target
    if arguments.target and not is_file(arguments.target):
        find(arguments.target)
    if named and is_file(named):
        return _for(named, arguments.id.replace("__", "/"))
    return explain(of_product(catalogue(), arguments.product), documented(arguments.id))


def _for(named: str, requested: str) -> str:
    """The explanation of *requested* for a target file, exported files, or one beside the others."""
    adapted, withhold = _target_of(named)
    known = {name for row in adapted.requirements for name in (row.id, f"{row.area}/{row.id}")}
    if requested in known or any(f"/{row.id}/" in requested for row in adapted.requirements):
        return explain(adapted, requested, Here(named, withhold))
    return explain(catalogue(), requested)


def _target_of(named: str) -> tuple[Catalogue, Callable[[Case], str]]:
    """The catalogue as it is for the target of that name, and why a case does not apply to it."""
    options = validated({"target": named})
    if options.exports:
        target = target_of(options)
        return target.adapt(catalogue()), target.withhold
    deployment = Deployment(target_file.read(Path(named)))
    return deployment.adapt(catalogue()), deployment.withhold


def documented(identifier: str) -> str:
    """A case id as the catalogue has it: a user's own service is judged like an endpoint that represents any."""
    parts = identifier.replace("__", "/").split("/")
    rows = {row.id: row for row in catalogue().requirements}
    row = rows.get(parts[1]) if len(parts) > 1 else None
    if row is None:
        return "/".join(parts)
    flows = {name for block in row.cells for name in block.flows}
    names = [flow.name for flow in stand_ins(catalogue())]
    stands = next((name for name in reversed(names) if name in flows), names[0])
    return "/".join(stands if part.startswith("client-to-") and part not in flows else part for part in parts)
