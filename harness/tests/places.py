"""Target files for the lab's portal, which plays somebody else's server, and what came of running them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.config import Options
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.run.run import Run
from harness.stimuli.tokens import HeldTokenIssuer

CLAIMS = {"iss": "IBM API Connect", "aud": "n/a", "sub": "n/a"}
SUBJECT = "CN=portal-admin-client,O=cert-manager"


class Place:
    """Writes target files for the lab's portal and runs them."""

    def __init__(self, lab: ReferenceLab, folder: Path) -> None:
        self._lab, self._folder = lab, folder
        secrets = lab.secrets / "portal-admin-client"
        self.client = {"certificate": str(secrets / "tls.crt"), "key": str(secrets / "tls.key")}
        self.ca = {"ca": str(secrets / "ca.crt")}
        self.ca_key = {"ca_key": str(lab.secrets / "ingress-ca" / "tls.key")}
        self.signing = {"signing_key": str(lab.secrets.parent / "jwt" / "signing.key"), "claims": CLAIMS}

    def token(self) -> str:
        return HeldTokenIssuer.of(self._lab.pki).token()

    def file(self, posture: Posture, fault: str = "", server: Mapping[str, Any] | None = None, **more: Any) -> Path:
        setup = Setup("portal", posture, FlowPath.DIRECT, fault)
        entrypoint = self._lab.open([setup])[setup]
        data = {
            "product": {"name": "reference"},
            "environment": "lab",
            "rate": 1000,
            "servers": {
                "portal": {
                    "url": f"https://{entrypoint.address.server_name}:{entrypoint.address.port}",  # type: ignore[union-attr]
                    "connect": f"127.0.0.1:{entrypoint.address.port}",  # type: ignore[union-attr]
                    "ca": str(self._lab.secrets / "portal-admin" / "ca.crt"),
                    "posture": str(posture),
                    "flows": ["management-to-portal"],
                    **(server or {}),
                }
            },
            **more,
        }
        file = self._folder / "target.yaml"
        file.write_text(yaml.safe_dump(data), "utf-8")
        return file

    def run(self, file: Path, **options: Any) -> Run:
        return run_of(file, **options)


def run_of(file: Path, **options: Any) -> Run:
    """The run of the target file *file*; its report goes beside it."""
    run = Run(Options(target=str(file), report=file.parent / "report", seed=1, **options))
    run.start(run.cases)
    run.finish()
    return run


def outcomes(run: Run) -> dict[str, str]:
    return {row["case"]: row["outcome"] for row in run.rows}


def of(run: Run, outcome: str) -> set[str]:
    return {row["stimulus"] for row in run.rows if row["outcome"] == outcome}
