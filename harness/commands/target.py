"""``hopproof target``: an example of a target file, one checked, or one made from what a URL shows."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from pathlib import Path

from harness import paths
from harness.catalogue import expand
from harness.catalogue.registry import catalogue
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.model.vocabulary import Depth
from harness.targets import endpoint_probe
from harness.targets.deployment import Deployment
from harness.targets.endpoint_report import ProbeOptions
from harness.writers.counts import Counts


def add(verbs: Verbs) -> None:
    """Add ``target``."""
    target = verb(verbs, "target", _target, "write, check or derive a target file, which describes what to judge")
    target.add_argument("what", choices=["init", "check", "probe"], help="write an example, check a file, probe a URL")
    target.add_argument("file", nargs="?", metavar="FILE|URL")
    observed = target.add_argument_group("target probe URL: show what can be seen of an endpoint")
    observed.add_argument("--ca", metavar="FILE", help="the CA that the server's certificate should chain to")
    observed.add_argument("--connect", metavar="HOST:PORT", help="connect to this address instead of the URL's host")
    observed.add_argument("--cert", metavar="FILE", help="a client's certificate, for a second request")
    observed.add_argument("--key", metavar="FILE", help="its key")
    observed.add_argument(
        "--write", type=Path, metavar="FILE", help="write a target file from the result; its posture is a guess"
    )
    observed.add_argument("--json", action="store_true", help="print JSON")


def _target(arguments: Arguments) -> int:
    if arguments.what == "probe":
        return _probe(arguments)
    for name in ("ca", "connect", "cert", "key", "write", "json"):
        if getattr(arguments, name):
            raise UsageError(f"--{name} belongs to hopproof target probe")
    file = Path(arguments.file) if arguments.file else None
    return _init(file) if arguments.what == "init" else _check(file)


def _probe(arguments: Arguments) -> int:
    if not arguments.file:
        raise UsageError("no URL is given", hint="hopproof target probe https://host:port/path")
    given = {name: getattr(arguments, name) or "" for name in ("ca", "connect", "cert", "key")}
    found = endpoint_probe.probe(ProbeOptions(arguments.file, **given))
    if arguments.write:
        endpoint_probe.write(found, arguments.write)
    if arguments.json:
        print(json.dumps(found.to_json(), indent=1))  # noqa: T201
        return 0
    print("\n".join(found.lines()))  # noqa: T201
    if arguments.write:
        print(f"wrote {arguments.write}; put the files it names beside it, then: {_check_line(arguments.write)}")  # noqa: T201
    return 0


def _check_line(file: Path) -> str:
    return f"hopproof target check {shlex.quote(str(file))}"


def _init(file: Path | None) -> int:
    example = (paths.FIXTURES / "targets" / "service.yaml").read_text("utf-8")
    if file is None:
        sys.stdout.write(example)
        return 0
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(example)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(file), hint="name a new file") from error
    print(f"wrote {file}; edit it, then: hopproof target check {file}")  # noqa: T201
    return 0


def _check(file: Path | None) -> int:
    if file is None:
        raise UsageError("which file?", hint="hopproof target check FILE")
    deployment = Deployment.load(file)
    target = deployment.target()
    cases, withheld = expand(target.adapt(catalogue()), target.features)
    reasons = Counter([*(item.reason for item in withheld), *map(target.withhold, cases)])
    apply = [case for case in cases if not target.withhold(case)]
    everything = len(cases) + len(withheld)
    counted = Counts(everything, everything - len(apply), len(apply), 0)
    quick = sum(case.depth is Depth.QUICK for case in apply)
    del reasons[""]
    print(f"{file}: {target.scope}")  # noqa: T201
    print(f"{counted.here()} Nothing was sent.")  # noqa: T201
    print(f"Of the {len(apply)} that apply: {quick} at depth quick, {len(apply)} with --depth full.")  # noqa: T201
    for reason, number in reasons.most_common():
        print(f"  {number} withheld: {reason}")  # noqa: T201
    return 0
