"""A token service in a target file, judged live: our own plays somebody else's, with its faults one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config import Options
from harness.errors import UsageError
from harness.lab.reference import ReferenceLab
from harness.model.claims import Answer
from harness.run.diagnosis import diagnose
from harness.run.run import Run
from harness.targets.deployment import Deployment
from harness.tests.places import of
from tools.exchange_target import CLIENT, exchange_target, own_token


class Place:
    """Writes target files for the lab's token service and the services behind it, and runs them."""

    def __init__(self, lab: ReferenceLab, folder: Path) -> None:
        self._lab, self._folder = lab, folder

    def data(self, fault: str = "", **sts: Any) -> dict[str, Any]:
        return exchange_target(self._lab, self._folder, fault, **sts)

    def write(self, data: dict[str, Any]) -> Path:
        file = self._folder / "target.yaml"
        file.write_text(yaml.safe_dump(data), "utf-8")
        return file

    def run(self, fault: str = "", **sts: Any) -> Run:
        return self.run_file(self.write(self.data(fault, **sts)))

    def run_file(self, file: Path) -> Run:
        run = Run(Options(target=str(file), report=self._folder / "report", seed=1))
        run.start(run.cases)
        run.finish()
        return run


@pytest.fixture
def place(lab: ReferenceLab, tmp_path: Path) -> Place:
    return Place(lab, tmp_path)


def test_a_right_token_service_conforms(place: Place) -> None:
    run = place.run()
    assert (run.status, run.answer) == (0, Answer.CONFORMS), run.trouble
    assert {row["outcome"] for row in run.rows} == {"PASS"}
    assert {row["flow"] for row in run.rows} == {"exchange-for-inventory"}
    assert {row["requirement"] for row in run.rows} == {
        "STS-2", "STS-4", "STS-5-CALL", "STS-6", "STS-6-CLIENT", "STS-6-ANSWER", "STS-12",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("sts-keeps-audience", {"x-exchange", "x-elsewhere"}),
        ("sts-loses-user", {"x-exchange"}),
        ("sts-names-no-actor", {"x-exchange"}),
        ("sts-exchanges-for-anybody", {"x-policy"}),
        ("sts-skips-subject-signature", {"x-subject-token", "x-request"}),
        ("sts-accepts-expired-subject", {"x-subject-token"}),
        ("sts-accepts-unsigned-subject", {"x-subject-token"}),
        ("sts-takes-key-from-subject", {"x-subject-token"}),
        ("sts-skips-client-authentication", {"x-client"}),
        ("sts-ignores-token-types", {"x-request"}),
        ("sts-answers-invalid-grant", {"x-request"}),
        ("sts-omits-issued-token-type", {"x-request"}),
        ("sts-lets-answers-be-cached", {"x-request"}),
        ("sts-issues-long-lived-tokens", {"x-lifetime"}),
        ("ignores-audience", {"x-elsewhere"}),
    ],
)
def test_each_fault_breaks_what_it_is_about_and_nothing_else(place: Place, fault: str, broken: set[str]) -> None:
    run = place.run(fault)
    assert run.status == 1
    assert of(run, "FAIL") | of(run, "WRONG_REASON") == broken
    assert of(run, "HARNESS_ERROR") == set()


def test_a_likely_cause_and_what_to_change_are_named(place: Place) -> None:
    run = place.run("sts-keeps-audience")
    assert [likeness.faults for likeness in diagnose(run.rows)] == [("sts-keeps-audience",)]


def test_a_client_that_proves_itself_by_certificate(place: Place, lab: ReferenceLab) -> None:
    secret = lab.secrets / f"{CLIENT}-client"
    files = {"certificate": str(secret / "tls.crt"), "key": str(secret / "tls.key")}
    run = place.run(client={"id": CLIENT, "authentication": "tls_client_auth", **files})
    assert (run.status, run.answer) == (0, Answer.CONFORMS), run.rows


def test_a_token_that_is_for_both_shows_nothing_of_the_service(place: Place, lab: ReferenceLab) -> None:
    data = place.data()
    file = Path(data["sts"]["subject_token"]["captured"])
    file.write_text(own_token(lab, aud=["op.ecomm.test", "iv.ecomm.test"]), "utf-8")
    run = place.run_file(place.write(data))
    assert (run.status, run.answer) == (3, Answer.NOT_SHOWN)
    row = next(row for row in run.rows if row["stimulus"] == "x-elsewhere")
    assert (row["outcome"], "names iv.ecomm.test as well" in row["reason"]) == ("UNOBSERVED", True)


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("", set()),
        ("sts-ignores-actor-token", {"x-exchange", "x-actor-token"}),
        ("sts-skips-actor-signature", {"x-actor-token"}),
        ("sts-takes-untyped-actor-token", {"x-actor-token"}),
    ],
)
def test_the_token_of_who_is_to_act(
    place: Place, lab: ReferenceLab, tmp_path: Path, fault: str, broken: set[str]
) -> None:
    data = place.data(fault, actor="reporting")
    Path(data["sts"]["subject_token"]["captured"]).write_text(own_token(lab, may_act={"sub": "reporting"}), "utf-8")
    actor = tmp_path / "actor"
    actor.write_text(own_token(lab, sub="reporting"), "utf-8")
    run = place.run_file(place.write({**data, "sts": {**data["sts"], "actor_token": str(actor)}}))
    assert run.status == (1 if broken else 0), run.trouble
    assert of(run, "FAIL") | of(run, "WRONG_REASON") == broken
    assert "x-actor-token" in {row["stimulus"] for row in run.rows}


def test_what_could_not_be_asked_is_not_shown(place: Place) -> None:
    run = place.run(connect="127.0.0.1:1")
    assert (run.status, run.answer) == (3, Answer.NOT_SHOWN)
    assert {row["outcome"] for row in run.rows} == {"UNOBSERVED"}
    assert run.not_shown


def test_an_actor_that_is_not_given_is_told_and_not_compared(place: Place) -> None:
    run = place.run("sts-names-no-actor", actor=None)
    assert run.status == 0
    message = next(row["evidence"]["notes"] for row in run.rows if row["stimulus"] == "x-exchange")
    assert "act.sub is missing" in str(message)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"audiences": {"iv.ecomm.test": "stock"}}, "servers.stock does not exist"),
        ({"audiences": {"a": "inventory", "b": "inventory"}}, "two audiences"),
        ({"refused_audiences": ["iv.ecomm.test"]}, "is one of sts.audiences"),
        ({"client": {"id": CLIENT}}, "needs secret"),
        ({"client": {"id": CLIENT, "authentication": "tls_client_auth"}}, "certificate and key"),
        ({"client": {"id": CLIENT, "secret": "nowhere"}}, "cannot read sts.client.secret"),
        ({"ca": "nowhere"}, "sts.ca"),
        ({"subject_token": {"captured": "nowhere"}}, "sts.subject_token.captured"),
        ({"subject_token": {"command": ["nowhere"]}}, "sts.subject_token.command"),
        ({"token_endpoint": "http://127.0.0.1/token"}, "plain HTTP"),
        ({"lifetime": 0}, "sts.lifetime"),
        ({"actor_token": "nowhere", "actor": None}, "sts.actor says whom"),
        ({"audience": "iv"}, "audience"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(place: Place, change: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Deployment.load(place.write(place.data(**change)))
