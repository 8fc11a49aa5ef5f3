"""The parts of the command line that point Hopproof at servers of others: ``target``, ``compare``, ``run --url``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness import resources
from harness.catalogue import expand
from harness.config import Options
from harness.deployment import TEMPLATE, Deployment
from harness.errors import UsageError
from harness.expected import entries_for
from harness.known import catalogue
from harness.lab.oneliner import Service
from harness.lab.touch import touch
from harness.run import Run
from harness.writers import record
from harness.writers.compare import compare

Arguments = argparse.Namespace
Verb = Callable[[str, Callable[[Arguments], int], str], argparse.ArgumentParser]
_SERVICE = ("ca", "audience", "issuer", "jwks", "cert", "key", "token_env", "connect")


def add_flags(run: argparse.ArgumentParser) -> None:
    """The flags of ``hopproof run`` for a server that is not ours."""
    run.add_argument("--expected", metavar="FILE", help="the rows known not to pass; anything else is exit status 1")
    run.add_argument("--read-only", action="store_true", default=None, help="send nothing that writes or stresses")
    run.add_argument("--dry-run", action="store_true", help="list what would be sent, and send nothing")
    one = run.add_argument_group("one service, without a target file")
    one.add_argument("--url", help="https://host:port/path of a request that succeeds")
    one.add_argument("--connect", metavar="HOST:PORT", help="connect there in place of the URL's host")
    one.add_argument("--ca", metavar="FILE", help="the CA of its certificate")
    one.add_argument("--audience", metavar="AUD", help="the aud its tokens have")
    one.add_argument("--issuer", metavar="ISS", help="the iss its tokens have")
    one.add_argument(
        "--jwks", metavar="ours|URL|FILE", help="ours: it fetches keys from a server of ours on 127.0.0.1:9901"
    )
    one.add_argument("--token-env", metavar="NAME", help="an environment variable that holds one good token")
    one.add_argument("--cert", metavar="FILE", help="the client's certificate")
    one.add_argument("--key", metavar="FILE", help="its key")


def add_verbs(verb: Verb) -> None:
    """``target init``, ``target check``, ``compare``."""
    target = verb("target", _target, "a file that says what to judge: write an example, or check yours")
    target.add_argument("what", choices=["init", "check"])
    target.add_argument("file", nargs="?", type=Path, metavar="FILE")
    two = verb("compare", _compare, "what changed between two runs")
    two.add_argument("old", type=Path, metavar="OLD")
    two.add_argument("new", type=Path, metavar="NEW")


def at(arguments: Arguments, options: Options) -> Options:
    """*options*, with the target file that ``--url`` and its companions stand for."""
    given = {name: getattr(arguments, name) for name in _SERVICE if getattr(arguments, name)}
    if arguments.url is None:
        if given:
            raise UsageError(f"--{min(given).replace('_', '-')} belongs to --url")
        return options
    if arguments.target:
        raise UsageError("--url and --target name two targets", attempt="use one of them")
    return replace(options, target=str(Service(arguments.url, **{"ca": "", **given}).write(options.report)))


def documented(identifier: str) -> str:
    """A case id as the catalogue has it: a service of one's own is judged like the endpoint that stands for any."""
    parts = identifier.replace("__", "/").split("/")
    return "/".join(TEMPLATE if part.startswith("client-to-") else part for part in parts)


def dry_run(run: Run) -> int:
    """List what *run* would send."""
    for case in run.cases:
        stimulus = case.stimulus
        flow, parts = case.flow, (stimulus.certificate, stimulus.token, stimulus.transport)
        certificate, token, transport = parts
        print(  # noqa: T201
            f"{case.id}: {flow.method} https://{flow.server.host}{flow.path} certificate={certificate} token={token} "
            f"transport={transport} touches={touch(case)}"
        )
    counts = Counter(str(touch(case)) for case in run.cases)
    told = ", ".join(f"{number} {name}" for name, number in counts.items())
    print(f"{len(run.cases)} cases ({told}) and their controls; nothing was sent")  # noqa: T201
    return 0


def unforeseen(run: Run) -> None:
    """Leave ready-to-edit entries for the rows that ``--expected`` did not foresee, and show them where it was used."""
    nothing = run.cannot_judge or (run.target.own_lab and not run.expectations.known)
    entries = "" if nothing else entries_for(run.rows, run.expectations)
    file = run.options.report / "unexpected.yaml"
    if not entries:
        file.unlink(missing_ok=True)
        return
    file.write_text(f"expected:\n{entries}\n", "utf-8")
    shown = f":\n{entries}" if run.expectations.known else ""
    print(f"Rows not foreseen, ready to edit for --expected, in {file}{shown}")  # noqa: T201


def _target(arguments: Arguments) -> int:
    return _init(arguments.file) if arguments.what == "init" else _check(arguments.file)


def _init(file: Path | None) -> int:
    example = (resources.FIXTURES / "targets" / "service.yaml").read_text("utf-8")
    if file is None:
        sys.stdout.write(example)
        return 0
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(example)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(file), attempt="name a new file") from error
    print(f"wrote {file}; edit it, then: hopproof target check {file}")  # noqa: T201
    return 0


def _check(file: Path | None) -> int:
    if file is None:
        raise UsageError("which file?", attempt="hopproof target check FILE")
    deployment = Deployment.load(file)
    target = deployment.target()
    cases, _ = expand(target.adapt(catalogue()), target.features)
    reasons = Counter(target.withhold(case) for case in cases)
    print(f"{file}: {target.scope}")  # noqa: T201
    print(f"{reasons.pop('', 0)} of {len(cases)} cases apply; nothing was sent")  # noqa: T201
    for reason, number in reasons.most_common():
        print(f"  {number} withheld: {reason}")  # noqa: T201
    return 0


def _compare(arguments: Arguments) -> int:
    found = compare(record.read(arguments.old)[1], record.read(arguments.new)[1])
    print(found.text())  # noqa: T201
    return 1 if found.newly_failing else 0
