"""The manifests that are shipped: valid as far as can be said without a cluster, and as careful as the lab is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import paths
from harness.cli import _parser

MANIFESTS = sorted((paths.FIXTURES / "manifests").glob("*.yaml"))


def _jobs() -> list[Any]:
    documents = [document for file in MANIFESTS for document in yaml.safe_load_all(file.read_text("utf-8"))]
    return [document for document in documents if document["kind"] == "Job"]


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_documents_fit_kubernetes_own_schema(file: Path) -> None:
    schema = pytest.importorskip("kubernetes_validate", reason="the extra dev is not installed")
    for document in yaml.safe_load_all(file.read_text("utf-8")):
        schema.validate(document, schema.latest_version(), strict=True)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_documents_are_kubernetes_objects(file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text("utf-8")):
        assert {"apiVersion", "kind", "metadata"} <= document.keys()
        assert document["metadata"]["name"]


def test_the_job_runs_as_the_lab_does_and_asks_for_nothing() -> None:
    jobs = _jobs()
    assert jobs
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        assert job["apiVersion"] == "batch/v1" and pod["restartPolicy"] == "Never"
        assert pod["automountServiceAccountToken"] is False and pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and context["capabilities"]["drop"] == ["ALL"]
            assert not context["allowPrivilegeEscalation"] and "env" not in container


def test_every_mount_has_its_volume() -> None:
    for job in _jobs():
        pod = job["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_load_has_a_processor_for_each_worker() -> None:
    document = yaml.safe_load((paths.FIXTURES / "manifests" / "load-job.yaml").read_text("utf-8"))
    (container,) = document["spec"]["template"]["spec"]["containers"]
    arguments = _parser().parse_args(container["command"][1:])
    assert container["command"][:2] == ["hopproof", "load"]
    assert int(container["resources"]["requests"]["cpu"]) == int(arguments.workers) + 1
