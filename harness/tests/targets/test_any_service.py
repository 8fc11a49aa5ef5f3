"""A service behind an STS as anybody's target file describes it: is it asked whom a token names?  From the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from harness.config import Options
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.vocabulary import Depth, Posture
from harness.model.vocabulary import Path as FlowPath
from harness.products.registry import out_of_scope
from harness.run.run import Run

NAMES = {"iss": "https://sts.ecomm.test", "aud": "orders.ecomm.test"}
Judge = Callable[[str, Mapping[str, str]], Run]


@pytest.fixture
def judge(lab: ReferenceLab, tmp_path: Path) -> Judge:
    """Judges the service with a fault, or none, by tokens with the given claims."""

    def run(fault: str, claims: Mapping[str, str]) -> Run:
        setup = Setup("service", Posture.JWT, FlowPath.DIRECT, fault)
        entrypoint = lab.open([setup])[setup]
        assert isinstance(entrypoint, Entrypoint)
        server = {
            "url": f"https://{entrypoint.address.server_name}:{entrypoint.address.port}",
            "connect": f"127.0.0.1:{entrypoint.address.port}",
            "ca": str(entrypoint.ca),
            "posture": "jwt",
            "request": {"method": "PUT", "path": "/orders/{nonce}", "body": '{"name": "{nonce}"}', "success": 201},
        }
        tokens = {"signing_key": str(lab.secrets.parent / "jwt" / "signing.key"), "claims": dict(claims)}
        data = {"product": {"name": "orders"}, "environment": "lab", "rate": 1000, "servers": {"orders": server}}
        file = tmp_path / "target.yaml"
        file.write_text(yaml.safe_dump({**data, "tokens": tokens}), "utf-8")
        only, report = ("tokens/STS-5*",), tmp_path / "report"
        found = Run(Options(target=str(file), report=report, seed=1, only=only, depth=Depth.FULL))
        found.start(found.cases)
        found.finish()
        return found

    return run


def of(run: Run, outcome: str) -> set[str]:
    return {row["stimulus"] for row in run.rows if row["outcome"] == outcome}


def test_whom_a_token_names_is_asked_of_any_service(judge: Judge) -> None:
    run = judge("", NAMES)
    assert run.status == 0, run.trouble
    assert {"aud-wrong", "aud-missing", "aud-joined", "iss-wrong", "iss-case", "aud-array-ok"} <= of(run, "PASS")
    assert {row["outcome"] for row in run.rows} == {"PASS"}


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("ignores-audience", {"aud-wrong", "aud-missing", "aud-case"}),
        ("compares-audience-loosely", {"aud-case", "aud-joined"}),
        ("ignores-issuer", {"iss-wrong", "iss-missing"}),
        ("compares-issuer-loosely", {"iss-case", "iss-slash"}),
    ],
)
def test_a_service_that_does_not_look_is_caught(judge: Judge, fault: str, broken: set[str]) -> None:
    run = judge(fault, NAMES)
    assert run.status == 1
    assert broken <= of(run, "FAIL")
    assert {name[:4] for name in of(run, "FAIL")} == {min(broken)[:4]}


def test_what_a_good_token_does_not_name_cannot_be_changed(judge: Judge) -> None:
    run = judge("ignores-audience", {"iss": NAMES["iss"]})
    assert {name[:4] for name in of(run, "UNOBSERVED")} == {"aud-"}
    assert of(run, "FAIL") == set()


def test_what_no_product_of_its_own_leaves_out_is_not_said() -> None:
    assert out_of_scope([""]) == "" and "gateway peering" in out_of_scope(["apic", ""])
