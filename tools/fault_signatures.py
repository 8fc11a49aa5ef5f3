"""Makes the signatures of the faults: what each looks like from outside.  Run it after a change of faults or catalogue:

    python -m tools.fault_signatures [FAULT]... [--check]      --check writes nothing and fails where the file is old

Where faults are named, only theirs are made, and the others stay.

A signature is what a target file sees of the reference with that fault, and with nothing else wrong: by posture (or
modes), the reason code of every case that does not pass.  :mod:`harness.run.diagnosis` reads them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from harness.catalogue.registry import FAULTS, catalogue
from harness.config import Options
from harness.lab import Entrypoint
from harness.lab.embedded import embedded_lab
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.fault import Fault
from harness.model.vocabulary import BROKEN, Depth, Posture
from harness.model.vocabulary import Path as FlowPath
from harness.pki.temporary import new_home
from harness.products.registry import reference
from harness.run.diagnosis import FILE, Signature, signatures
from harness.run.run import Run
from tools import gateway_signatures
from tools.exchange_target import exchange_target, setups

_POSTURES = (("portal", Posture.MTLS), ("portal", Posture.JWT), ("portal", Posture.BOTH), ("service", Posture.JWT))
_CLIENT = "portal-admin-client"
_TOKEN_SERVICE = "sts"
_GATEWAY = "apk-gateway"
_WORKERS, _SLICES = 6, 18


def visible() -> list[Fault]:
    """The faults that a third-party server can have."""
    servers = {*(name for name, _ in _POSTURES), _TOKEN_SERVICE}
    return [
        fault
        for fault in FAULTS.values()
        if (fault.where == "subsystem" and servers & set(fault.on)) or gateway_signatures.concerns(fault, _GATEWAY)
    ]


@contextmanager
def signature_recorder() -> Iterator[SignatureRecorder]:
    """A recorder on a lab of its own, closed at the end."""
    known = catalogue()
    lab = embedded_lab(reference(), known.servers, known.flows, FAULTS)
    folder = new_home()
    try:
        yield SignatureRecorder(lab, folder)
    finally:
        lab.close()
        shutil.rmtree(folder)


class SignatureRecorder:
    """Looks at the reference servers as a target file does."""

    def __init__(self, lab: ReferenceLab, folder: Path) -> None:
        self._lab, self._folder = lab, folder

    def signature(self, fault: Fault) -> Signature:
        """What *fault* looks like: posture -> requirement -> stimulus -> reason code; empty where nothing is seen."""
        found: defaultdict[str, defaultdict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        for place, row in self._seen(fault):
            if row["outcome"] in BROKEN:
                found[place][row["requirement"]][row["stimulus"]] = row["reason_code"]
        return {place: dict(rows) for place, rows in found.items()}

    def _seen(self, fault: Fault) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Each row of a server with *fault*, with the posture or the modes that it is about."""
        for server, posture in _POSTURES:
            if server in fault.on:
                yield from (
                    (str(posture), row) for row in self._rows(Setup(server, posture, FlowPath.DIRECT, fault.name))
                )
        if _TOKEN_SERVICE in fault.on:
            yield from ((row["posture"], row) for row in self._exchanged(fault))
        if gateway_signatures.concerns(fault, _GATEWAY):
            for setup, target in gateway_signatures.targets(fault, catalogue().flows, self._lab):
                yield from ((row["modes"], row) for row in self._run(target, gateway_signatures.ONLY))
                self._lab.release([setup])

    def _exchanged(self, fault: Fault) -> Iterable[Mapping[str, Any]]:
        """What is seen of a token service with *fault*, by exchanging tokens there."""
        rows = self._run(exchange_target(self._lab, self._folder, fault.name))
        self._lab.release(setups(fault.name).values())
        return rows

    def _rows(self, setup: Setup) -> Iterable[Mapping[str, Any]]:
        entrypoint = self._lab.open([setup])[setup]
        if not isinstance(entrypoint, Entrypoint):
            return []
        rows = self._run(self._target(setup, entrypoint))
        self._lab.release([setup])
        return rows

    def _run(self, target: Mapping[str, Any], only: tuple[str, ...] = ()) -> Iterable[Mapping[str, Any]]:
        file = self._folder / "target.yaml"
        file.write_text(yaml.safe_dump(dict(target)), "utf-8")
        run = Run(Options(target=str(file), report=self._folder / "report", seed=1, depth=Depth.FULL, only=only))
        run.start(run.cases)
        run.finish()
        return run.rows

    def _target(self, setup: Setup, entrypoint: Entrypoint) -> dict[str, Any]:
        known, secrets = catalogue(), self._lab.secrets
        flow = next(flow for flow in known.flows.values() if flow.server.name == setup.server)
        documented = {"flows": [flow.name], "subject": flow.server.subject} if flow.server.subject else {}
        names = {"iss": flow.server.issuer, "aud": flow.server.audience}
        request = {"method": flow.method, "path": flow.path, "body": flow.body, "success": flow.success}
        return {
            "product": {"name": setup.fault},
            "environment": "lab",
            "rate": 1000,
            "servers": {
                setup.server: {
                    "url": f"https://{entrypoint.address.server_name}:{entrypoint.address.port}",
                    "connect": f"{entrypoint.address.host}:{entrypoint.address.port}",
                    "ca": str(entrypoint.ca),
                    "posture": str(setup.posture),
                    "request": request,
                    **documented,
                }
            },
            "client": {
                "certificate": str(secrets / _CLIENT / "tls.crt"),
                "key": str(secrets / _CLIENT / "tls.key"),
                "ca": str(secrets / _CLIENT / "ca.crt"),
                "ca_key": str(secrets / "ingress-ca" / "tls.key"),
                "revoked": {
                    "certificate": str(secrets.parent / "revoked" / _CLIENT / "tls.crt"),
                    "key": str(secrets.parent / "revoked" / _CLIENT / "tls.key"),
                },
            },
            "tokens": {
                "signing_key": str(secrets.parent / "jwt" / "signing.key"),
                "claims": {name: value or "n/a" for name, value in names.items()},
            },
        }


def main() -> int:
    """Write the file that travels with the code, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file is out of date")
    parser.add_argument("names", nargs="*", metavar="FAULT", help="only these (default all)")
    arguments = parser.parse_args()
    check, names = arguments.check, arguments.names or [fault.name for fault in visible()]
    kept = {name: known for name, known in signatures().items() if arguments.names and name not in names}
    found = {**kept, **_all(names)}
    changed = sorted(name for name in {*found, *signatures()} if found.get(name) != signatures().get(name))
    if check:
        for name in changed:
            print(f"out of date: {name}; run python -m tools.fault_signatures and commit {FILE}")  # noqa: T201
        return bool(changed)
    FILE.write_text(_text(found), "utf-8")
    return 0


def _all(names: Sequence[str]) -> dict[str, Signature]:
    """The signatures of the faults *names*, several at once: most of the time is waiting for a token to expire."""
    slices = [names[start::_SLICES] for start in range(_SLICES)]
    found: dict[str, Signature] = {}
    with ProcessPoolExecutor(_WORKERS, get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_some, some) for some in slices if some]):
            found.update(done.result())
            print(f"{len(found)}/{len(names)} faults", file=sys.stderr, flush=True)  # noqa: T201 - a command's progress
    return {name: signature for name, signature in found.items() if signature}


def _some(names: Sequence[str]) -> dict[str, Signature]:
    """The signatures of these faults, on a lab of their own."""
    with signature_recorder() as recorder:
        return {name: recorder.signature(FAULTS[name]) for name in names}


def _text(found: Mapping[str, Signature]) -> str:
    head = "# What each fault looks like from outside; made by python -m tools.fault_signatures, not by hand.\n"
    return head + yaml.safe_dump(dict(found), width=110, default_flow_style=None, sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
