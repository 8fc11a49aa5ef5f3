"""The parts of the command line that point Hopproof at servers of others: ``target``, ``compare``, ``run --url``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness import paths
from harness.catalogue import expand
from harness.catalogue.glossary import Here, explain
from harness.catalogue.registry import catalogue
from harness.config import Options
from harness.errors import UsageError
from harness.model.vocabulary import Depth, is_file
from harness.pki.private_files import private_folder
from harness.probes.intrusiveness import intrusiveness
from harness.run.run import Run
from harness.targets import endpoint_probe
from harness.targets import file as target_file
from harness.targets.deployment import Deployment
from harness.targets.endpoint_report import ProbeOptions
from harness.targets.flows import stand_ins
from harness.targets.single_service import Service
from harness.writers import record
from harness.writers.compare import compare
from harness.writers.counts import Counts
from harness.writers.rows import Row

Arguments = argparse.Namespace
Verb = Callable[[str, Callable[[Arguments], int], str], argparse.ArgumentParser]
_SERVICE = (
    "ca",
    "audience",
    "issuer",
    "jwks",
    "cert",
    "key",
    "token_env",
    "connect",
    "client_ca",
    "client_ca_key",
    "subject",
)


def add_flags(run: argparse.ArgumentParser) -> None:
    """The flags of ``hopproof run`` for a server that is not ours."""
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
    one.add_argument("--client-ca", metavar="FILE", help="the CA that signed it, where that is another than --ca")
    one.add_argument("--client-ca-key", metavar="FILE", help="that CA's key, in a lab: every certificate can be made")
    one.add_argument("--subject", metavar="DN", help="the one client that the service lets in")


def add_verbs(verb: Verb) -> None:
    """``target init``, ``target check``, ``compare``."""
    target = verb("target", _target, "a file that says what to judge: an example, yours checked, or one from a URL")
    target.add_argument("what", choices=["init", "check", "probe"])
    target.add_argument("file", nargs="?", metavar="FILE|URL")
    observed = target.add_argument_group("target probe URL: what can be seen of an endpoint")
    observed.add_argument("--ca", metavar="FILE", help="the CA that its certificate should be under")
    observed.add_argument("--connect", metavar="HOST:PORT", help="connect there in place of the URL's host")
    observed.add_argument("--cert", metavar="FILE", help="a client's certificate, for a second request")
    observed.add_argument("--key", metavar="FILE", help="its key")
    observed.add_argument(
        "--write", type=Path, metavar="FILE", help="write a target file from it; its posture is a guess"
    )
    observed.add_argument("--json", action="store_true")
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
        raise UsageError("--url and --target name two targets", hint="use one of them")
    return replace(options, target=str(Service(arguments.url, **{"ca": "", **given}).write(options.report)))


def explained(arguments: Arguments) -> str:
    """The explanation of a requirement or a case, for the target that *arguments* name, or the documents' own."""
    if arguments.target and arguments.report:
        raise UsageError("--target and --report name two targets", hint="use one of them")
    named = str(record.read(arguments.report)[0]["target"]) if arguments.report else arguments.target
    if named and is_file(named):
        deployment = Deployment(target_file.read(Path(named)))
        adapted = deployment.adapt(catalogue())
        requested = arguments.id.replace("__", "/")
        if any(
            requested in (row.id, f"{row.area}/{row.id}") or f"/{row.id}/" in requested for row in adapted.requirements
        ):
            return explain(adapted, requested, Here(named, deployment.withhold))
        return explain(catalogue(), requested)
    return explain(catalogue(), documented(arguments.id))


def kept(case: str, options: Options, folder: Path) -> tuple[str, Path]:
    """What :class:`Options` say of *folder*, which takes what repeats *case*; raises :class:`UsageError`."""
    if not is_file(options.target):
        raise UsageError(
            "--write is for servers that stay up; those of a replay are gone when it ends",
            hint="hopproof serve brings them up, with lines of curl to paste",
        )
    try:
        return case, private_folder(folder)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(folder), hint="name another folder") from error


def written(row: Row, folder: Path) -> str:
    """What to print of a replay that was to write what repeats *row* into *folder*."""
    extra = row["evidence"].get("extra", {})
    if "curl" not in extra:
        return f"nothing to write: {row['reason']}"
    names = sorted(file.name for file in folder.iterdir())
    message = f"Written into {folder}, readable by you alone: {', '.join(names)}\n" if names else ""
    return f"{message}{extra['curl']}"


def documented(identifier: str) -> str:
    """A case id as the catalogue has it: a service of one's own is judged like an endpoint that stands for any."""
    parts = identifier.replace("__", "/").split("/")
    rows = {row.id: row for row in catalogue().requirements}
    row = rows.get(parts[1]) if len(parts) > 1 else None
    names = [flow.name for flow in stand_ins(catalogue())]
    stands = next(
        (name for name in reversed(names) if row and any(name in block.flows for block in row.cells)), names[0]
    )
    return "/".join(stands if part.startswith("client-to-") else part for part in parts)


def dry_run(run: Run) -> int:
    """List what *run* would send."""
    for case in run.cases:
        stimulus = case.stimulus
        flow, parts = case.flow, (stimulus.certificate, stimulus.token, stimulus.transport)
        certificate, token, transport = parts
        print(  # noqa: T201
            f"{case.id}: {flow.method} https://{flow.server.host}{flow.path} certificate={certificate} token={token} "
            f"transport={transport} touches={intrusiveness(case)}"
        )
    counts = Counter(str(intrusiveness(case)) for case in run.cases)
    message = ", ".join(f"{number} {name}" for name, number in counts.items())
    print("\n".join(run.counts().lines()))  # noqa: T201
    print(f"In this run: {message}, and their controls. Nothing was sent.")  # noqa: T201
    return 0


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
        raise UsageError("which URL?", hint="hopproof target probe https://host:port/path")
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


def _compare(arguments: Arguments) -> int:
    found = compare(record.read(arguments.old)[1], record.read(arguments.new)[1])
    print(found.text())  # noqa: T201
    return 1 if found.newly_failing else 0
