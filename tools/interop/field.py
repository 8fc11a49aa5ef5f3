"""Judges the judge: small servers with faults from the field, each with the right verdict, and the same without it.

    python -m tools.interop.field [NAME]... [--servers] [--json] [--keep DIR]

NAME is a case, or ``case:mode``, or the beginning of one (``39``).  The right verdicts stand in
fixtures/field/expected.yaml; with --servers those in fixtures/field/servers/expected.yaml are taken, on servers that
other people wrote.  Exit status 1 if the product says anything else of any of them.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import yaml

from harness.pki.temporary import prefix
from tools.interop import shapes
from tools.interop.children import CHILDREN, end_on_sigterm
from tools.interop.judge import running
from tools.interop.programs import NotInstalled, command, packages
from tools.interop.servers import ROOT, fill, free_ports
from tools.interop.verdicts import Run, RunResult, differences, runs

FIELD = ROOT / "fixtures" / "field"
ISSUER, AUDIENCE = "https://sts.example.test", "orders"
_PORTS = ("PORT", "BACKEND_PORT", "STS_PORT", "JWKS_PORT")
_LONGEST_RUN = 240.0
_AT_ONCE = 2
_END = "-----END CERTIFICATE-----"


@dataclass(frozen=True)
class Row:
    """A line of the table: a run and how it differs from what is right; no ``result`` where it could not run."""

    run: Run
    result: RunResult | None
    wrong: tuple[str, ...]

    @property
    def word(self) -> str:
        """What stands in the last column."""
        return "NOT RUN" if self.result is None else "WRONG" if self.wrong else "ok"


def main() -> int:
    arguments = _arguments()
    base = FIELD / "servers" if arguments.servers else FIELD
    table = yaml.safe_load((base / "expected.yaml").read_text("utf-8"))
    chosen = [run for run in runs(table) if _chosen(run.name, arguments.names)]
    if not chosen:
        raise SystemExit(f"no case fits {' '.join(arguments.names)}; there are {', '.join(table)}")
    with _folder(arguments.keep) as folder:
        rows = _judged(chosen, base, folder)
    print(json.dumps([_data(row) for row in rows], indent=1) if arguments.json else _table(rows))
    return int(any(row.wrong for row in rows))


def _judged(chosen: Sequence[Run], base: Path, folder: Path) -> list[Row]:
    """A row for each run; whatever interrupts this ends the servers and runs that are under way."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            return list(pool.map(lambda run: judge(run, base, folder), chosen))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            CHILDREN.end_all()
            raise


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases, or case:mode; all if none is named")
    parser.add_argument("--servers", action="store_true", help="servers that other people wrote, right and broken")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    parser.add_argument("--keep", type=Path, help="leave configurations, logs and reports in this folder")
    return parser.parse_args()


def _chosen(name: str, names: Sequence[str]) -> bool:
    return not names or any(name.startswith(requested) for requested in names)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix=prefix("field")) as folder:
        yield Path(folder)


def judge(run: Run, base: Path, folder: Path) -> Row:
    """Start what *run* needs, let the product judge it, compare."""
    location = folder / run.name.replace(":", "+")
    shutil.rmtree(location, ignore_errors=True)
    location.mkdir()
    try:
        message = _result(run, base / run.case.partition("@")[0], location)
    except NotInstalled as error:
        print(f"{run.name}: NOT RUN: {error}", file=sys.stderr, flush=True)
        return Row(run, None, (str(error),) if error.must else ())
    except (SystemExit, OSError, subprocess.SubprocessError) as error:
        return Row(run, RunResult(-1, (), 0.0, str(error)), (f"the server did not start: {error}",))
    row = Row(run, message, tuple(differences(run.verdict, message)))
    print(f"{run.name}: {row.word}", file=sys.stderr, flush=True)
    return row


def _result(run: Run, source: Path, place: Path) -> RunResult:
    values = _values(run, place)
    paths = packages(run.needs)
    paths["PYTHONPATH"] += [str(FIELD / "common"), str(source)]
    environment = {**values, **{name: os.pathsep.join(folders) for name, folders in paths.items()}}
    with ExitStack() as stack:
        for number, server in enumerate(run.servers):
            (program, file), *_ = ((key, value) for key, value in server.items() if key != "port")
            own = place / f"server-{number}"
            own.mkdir()
            port = {**environment, "PORT": values[server.get("port", "PORT")], "FOLDER": str(own)}
            stack.enter_context(running(command(program, Path(os.path.normpath(source / file)), own, port), port, own))
        target = place / "target.yaml"
        target.write_text(yaml.safe_dump(_target(run, values)), "utf-8")
        return _product(run, place, values)


def _values(run: Run, place: Path) -> dict[str, str]:
    pki = place / "pki"
    subject = shapes.write(run.shape, pki)
    ports = zip(_PORTS, map(str, free_ports(len(_PORTS))), strict=True)
    der = _der(pki / "client.crt")
    named = {
        "CLIENT_DIGEST": hashlib.sha256(der).hexdigest(),
        "SECOND_DIGEST": hashlib.sha256(_der(pki / "revoked.crt")).hexdigest(),
        "SECOND_DER": base64.b64encode(_der(pki / "revoked.crt")).decode("ascii"),
        "CLIENT_DER": base64.b64encode(der).decode("ascii"),
        "FOLDER": str(place),
        "PKI": str(pki),
        "HOST": shapes.HOST,
        "SUBJECT": subject,
        "MODE": run.mode,
        "NAME": run.mode,
    }
    tokens = {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "TOKEN": _token(pki / "signing.key"), "DIRECTIVES": ""}
    values = {**dict(ports), **named, **tokens, **run.environment}
    return {**values, "DIRECTIVES": fill(run.directives, values)}


def _der(file: Path) -> bytes:
    """The first certificate of *file*."""
    return ssl.PEM_cert_to_DER_cert(file.read_text("ascii").partition(_END)[0] + _END)


def _token(key: Path) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "client", "iat": now, "exp": now + 3600}
    return jwt.encode(claims, key.read_text("ascii"), "RS256", headers={"kid": "k1"})


def _target(run: Run, values: Mapping[str, str]) -> Any:
    """The target file: the usual one, with what the case changes."""
    usual = yaml.safe_load((FIELD / "targets" / f"{run.target}.yaml").read_text("utf-8"))
    return _each_text(_merged(usual, run.changes), lambda text: fill(text, values))


def _merged(old: Any, new: Any) -> Any:
    """*new* over *old*; null takes a member away."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    both = {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
    return {key: value for key, value in both.items() if value is not None}


def _each_text(data: Any, change: Callable[[str], str]) -> Any:
    if isinstance(data, str):
        return change(data)
    if isinstance(data, list):
        return [_each_text(item, change) for item in data]
    if isinstance(data, dict):
        return {key: _each_text(value, change) for key, value in data.items()}
    return data


def _product(run: Run, place: Path, values: Mapping[str, str]) -> RunResult:
    report = place / "report"
    options = ["--target", str(place / "target.yaml"), "--depth", run.depth, "--seed", "1", "--report", str(report)]
    output = place / "stdout"
    with output.open("wb") as written:
        environment = {**os.environ, **values, "PYTHONPATH": str(ROOT)}
        process = CHILDREN.start([sys.executable, "-m", "harness", "run", *options], environment, written)
    try:
        status = process.wait(_LONGEST_RUN)
    finally:
        CHILDREN.end(process)
    record = report / "run.jsonl"
    lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()] if record.exists() else []
    rows = tuple(line for line in lines if line["kind"] == "row")
    seconds = next((float(line["seconds"]) for line in lines if line["kind"] == "footer"), 0.0)
    return RunResult(status, rows, seconds, output.read_text("utf-8"))


def _data(row: Row) -> Mapping[str, Any]:
    message = row.result and {"exit": row.result.exit, "seconds": row.result.seconds, "summary": row.result.summary()}
    return {
        "run": row.run.name,
        "right": list(row.run.verdict.exit),
        "result": message,
        "verdict": row.word,
        "wrong": row.wrong,
    }


def _table(rows: Sequence[Row]) -> str:
    width = max(len(row.run.name) for row in rows)
    lines = []
    for row in sorted(rows, key=lambda row: row.word != "ok"):  # a log that is cut keeps its end
        verdict = row.run.verdict
        right = f"exit {'/'.join(map(str, verdict.exit))} {' '.join(verdict.fails)}".rstrip()
        now = row.result.summary() if row.result else "not run"
        lines += [f"{row.run.name:{width}}  {row.word:7}  right: {right}; now: {now}"]
        explained = row.result.explained() if row.wrong and row.result else ()
        lines += [f"{'':{width}}           - {text}" for text in (*row.wrong, *explained)]
    counts = {word: sum(row.word == word for row in rows) for word in ("ok", "WRONG", "NOT RUN")}
    return "\n".join([*lines, "", ", ".join(f"{number} {word}" for word, number in counts.items())])


if __name__ == "__main__":
    os.umask(0o077)
    end_on_sigterm()
    sys.exit(main())
