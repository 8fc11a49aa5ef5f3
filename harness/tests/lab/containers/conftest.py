"""What tests that need Docker share: they are left out where no daemon answers; the project's CI requires one."""

from __future__ import annotations

import os

import pytest

from harness.lab.containers import docker_api


@pytest.fixture(scope="session")
def _docker() -> None:
    if os.environ.get("HOPPROOF_DOCKER") != "required" and docker_api.answers():
        pytest.skip("no Docker daemon answers")
