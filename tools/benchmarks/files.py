"""Time and memory of the verbs on files, as a ratio to PyYAML's C loader on the same file; asserts nothing.

    python -m tools.benchmarks.files [--objects 20000] [--rounds 3] [--keep FOLDER]

Two exports.  `many` has whole installations, each in a namespace of its own with a CA of its own, until a third of the
objects are theirs; `one` has one installation, and Secrets of applications that its ingress-ca signed.  The rest are
pods with status and managed fields.  Each verb is a process of its own, rounds are interleaved, and the least processor
time of each counts.  renew and plan are for one installation.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from harness.pki.issue import Identity
from harness.tests.cert_manager import Object, application
from harness.tests.installations import KUBERNETES, documents

_LOAD = "import sys, yaml; list(yaml.load_all(open(sys.argv[1]), Loader=yaml.CSafeLoader))"
_VERBS = {
    "lint": ("lint",),
    "certs": ("certs",),
    "renew": ("renew", "ingress-ca"),
    "plan": ("plan", "--terminate", "management-to-portal", "--"),
}
_EXPORTS = {"many": ("lint", "certs"), "one": tuple(_VERBS)}
_NOW = datetime.now(UTC) - timedelta(days=1)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="where the exports are left")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, verbs in _EXPORTS.items():
            file = (arguments.keep or Path(folder)) / f"{name}.yaml"
            file.write_text(export(arguments.objects, name))
            print(f"{name}: {arguments.objects} objects, {file.stat().st_size / 1e6:.0f} MB")
            commands = {"PyYAML": [sys.executable, "-c", _LOAD, str(file)]}
            commands |= {verb: [sys.executable, "-m", "harness", *_VERBS[verb], str(file)] for verb in verbs}
            _compare(commands, arguments.rounds)


def _compare(commands: Mapping[str, list[str]], rounds: int) -> None:
    best = {name: (float("inf"), 0.0) for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            best[name] = min(best[name], _measured(command))
    for name, (seconds, megabytes) in best.items():
        print(f"  {name:8} {seconds:6.2f} s  {megabytes:5.0f} MB  {seconds / best['PyYAML'][0]:.2f} times PyYAML")


def _measured(command: list[str]) -> tuple[float, float]:
    """Processor seconds and peak memory (MB) of *command*."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        print(f"{' '.join(command[2:4])} ends with {child.returncode}: {said.decode()[-300:]}", file=sys.stderr)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def export(objects: int, name: str) -> str:
    """The export called *name*, of *objects* objects."""
    made = [*(_installations(objects // 3) if name == "many" else _installation(objects // 3))]
    made += [*_pods(objects - len(made))]
    return str(yaml.dump_all(made, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))


def _installations(most: int) -> Iterator[Object]:
    count = 0
    for number in range(most):
        here = replace(KUBERNETES[2], namespace=f"apic-{number}")
        found = documents(here, "", _NOW, {})
        count += len(found)
        if count > most:
            return
        yield from found


def _installation(most: int) -> Iterator[Object]:
    authorities: dict[str, Identity] = {}
    made = documents(KUBERNETES[2], "", _NOW, authorities)
    yield from made
    for number in range(most - len(made)):
        yield application(f"app-{number}", authorities["ingress-ca"], _NOW)


def _pods(number: int) -> Iterator[Object]:
    for index in range(number):
        name = f"apic-{index % 200}-management-apim-{index}"
        fields: Object = {"f:spec": {"f:containers": {"k:{}": {"f:image": {}, "f:name": {}, "f:resources": {}}}}}
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": f"apic-{index % 200}",
                "labels": {"app.kubernetes.io/instance": "management", "app": name},
                "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": fields}],
            },
            "spec": {"containers": [{"name": "apim", "image": "apim:10", "env": [{"name": "A", "value": str(index)}]}]},
            "status": {"phase": "Running", "startTime": "2026-11-25T12:00:00Z", "podIP": "10.0.0.1"},
        }


if __name__ == "__main__":
    main()
