"""What several folders of tests share: one real run that conforms."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.catalogue.registry import FAULTS, catalogue
from harness.lab.embedded import embedded_lab
from harness.lab.reference import ReferenceLab
from harness.products.registry import reference
from harness.tests.command import hopproof
from harness.tests.credentials import ca, deployment, pki, secrets, tls, token_issuer, trusting  # noqa: F401 - fixtures for every test

SEED = "11"


@dataclass(frozen=True)
class Finished:
    """A run that has ended, and where its report is."""

    process: subprocess.CompletedProcess[str]
    report: Path


@pytest.fixture(scope="module")
def lab() -> Iterator[ReferenceLab]:
    """The reference servers, which play somebody else's."""
    known = catalogue()
    found = embedded_lab(reference(), known.servers, known.flows, FAULTS)
    yield found
    found.close()


@pytest.fixture(scope="session")
def conforming(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """``hopproof run --only FLW-5``, with a seed."""
    folder = tmp_path_factory.mktemp("conforming")
    process = hopproof("run", "--only", "FLW-5", "--seed", SEED, "--report", "report", cwd=folder)
    return Finished(process, folder / "report")
