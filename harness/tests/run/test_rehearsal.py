"""Rehearsals: what the lab measures, that it agrees with the runbook, and that it says so where it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness import paths
from harness.catalogue.registry import FAULTS, catalogue
from harness.cli import main
from harness.errors import LabError, UsageError
from harness.lab.embedded import embedded_lab
from harness.products.apic.operations.files import renew
from harness.products.apic.operations.rehearsal import rehearsal
from harness.products.registry import reference
from harness.products.rehearsal import LabStep, Order, Part
from harness.run.rehearsal import Player, Result, Sample, Traffic, _outages
from harness.run.rehearsal_report import document
from harness.tests.exports import question
from harness.writers import runbook as writer

FLOWS = ("management-to-portal", "portal-to-management")


def play(order: Order, flows: tuple[str, ...] = FLOWS, variant: str = "") -> Result:
    lab, known = embedded_lab(reference(), catalogue().servers, catalogue().flows, FAULTS), catalogue()
    try:
        return Player(lab, known.flows, flows, variant).play(order)
    finally:
        lab.close()


@pytest.mark.parametrize(
    ("ca", "number", "down"),
    [
        ("ingress-ca", 0, 5),
        ("ingress-ca", 1, 10),
        ("ingress-ca", 2, 10),
        ("ingress-ca", 3, 5),
        ("management-ca", 0, 2),
        ("management-ca", 1, 3),
        ("mgmt-ca", 2, 3),
        ("management-ca", 3, 2),
    ],
)
def test_the_lab_does_what_the_runbook_says(ca: str, number: int, down: int) -> None:
    planned = rehearsal(ca)
    result = play(planned.orders[number], planned.flows, planned.variant)
    assert result.as_predicted, [(step.step.title, step.down, step.unsteady) for step in result.steps]
    assert result.steps[-1].down == () and {outage.flow for outage in result.outages} == set(planned.flows)
    assert max(len(step.down) for step in result.steps) == down


def test_management_ca_is_not_what_calls_from_outside_the_cluster_trust() -> None:
    planned = rehearsal("management-ca")
    first = replace(planned.right.steps[0], down=())
    assert play(Order("x", (first,)), planned.flows).as_predicted


def test_a_step_that_breaks_more_than_it_should_is_reported() -> None:
    step = LabStep(
        "Renew ingress-ca and the portal's certificate", ("ingress-ca", "portal-admin"), (Part(server="portal"),)
    )
    result = play(Order("x", (step,)))
    assert not result.as_predicted and result.steps[0].down == ("management-to-portal",)
    shown = writer.written(document("x", [result]), "text")
    assert "\u2717 1. Renew" in shown and "NOT as the runbook says" in shown and "never (of 1)" in shown


def test_a_step_that_breaks_less_than_it_should_is_reported() -> None:
    assert not play(Order("x", (LabStep("Nothing", down=("management-to-portal",)),))).as_predicted


def test_ingress_ca_alone_breaks_nothing_that_has_not_restarted() -> None:
    result = play(Order("x", (LabStep("Renew ingress-ca", ("ingress-ca",)),)))
    assert result.as_predicted and result.outages == ()


def test_management_trusts_the_copy_in_its_database_until_it_restarts() -> None:
    leaf = LabStep("leaf", ("ingress-ca", "portal-admin"), (Part(server="portal"),), down=("management-to-portal",))
    apim = LabStep("apim", ("portal-admin-client",), (Part(client_of="management-to-portal"),))
    assert play(Order("x", (leaf, apim)), FLOWS[:1]).as_predicted


@pytest.mark.parametrize(
    ("part", "broken"),
    [(Part(server="portal"), "management-to-portal"), (Part(client_of="portal-to-management"), "portal-to-management")],
)
def test_another_ca_in_the_place_of_a_copy_breaks_what_reads_it(part: Part, broken: str) -> None:
    replaced = LabStep("a Certificate object beside the copy", other_ca=(part,), down=(broken,))
    again = LabStep("copied again", restart=(part,))
    assert play(Order("x", (replaced, again))).as_predicted


def test_outages_have_a_beginning_an_end_and_a_reason() -> None:
    moments = [(10.0, 11.0), (20.0, 21.0)]
    samples = [Sample(9, 9.5, ""), Sample(11, 11.5, "why"), Sample(12, 12.5, "why"), Sample(20.5, 21.5, "")]
    (outage,) = _outages("flow", samples, moments)
    assert (outage.first, outage.last, outage.seconds, outage.lost, outage.why) == (1, 2, 10.5, 2, "why")
    (outage,) = _outages("flow", samples[:3], moments)
    assert outage.last is None and outage.seconds == 1.5


def test_traffic_whose_request_raises_is_no_result() -> None:
    def broken(_flow: str, _number: int) -> str:
        raise ValueError("broken")

    with Traffic(["a"], broken) as traffic, pytest.raises(LabError, match="broken"):
        traffic.after(0.0)


def test_served_at_times_is_neither() -> None:
    def result(failed: set[bool]) -> bool:
        step = LabStep("x", down=("a",))
        from harness.run.rehearsal import _result

        return _result(Order("x", (step,)), [(1.0, 2.0)], [{"a": failed}], {"a": [Sample(1, 2, "")]}).as_predicted

    assert result({True}) and not result({True, False}) and not result({False})


@pytest.mark.parametrize(
    "arguments",
    [
        ["renew", "portal-ca", "--rehearse"],
        ["renew", "ingress-ca", "x.yaml", "--rehearse"],
        ["renew", "ingress-ca", "--rehearse", "--format", "shell"],
        ["renew", "ingress-ca"],
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("ca", ["portal-ca", "ptl-ca", "analytics-ca", "a7s-ca"])
def test_no_rehearsal_of_what_stays_inside_a_subsystem(ca: str) -> None:
    with pytest.raises(UsageError, match="cannot be rehearsed: .* is not documented"):
        rehearsal(ca)


@pytest.mark.parametrize("ca", ["ingress-ca", "management-ca"])
def test_a_wrong_order_is_the_longer_one(ca: str) -> None:
    planned = rehearsal(ca)

    def flows_after_steps(order: Order) -> int:
        return sum(len(step.down) for step in order.steps)

    for wrong in planned.wrong:
        assert flows_after_steps(wrong) > flows_after_steps(planned.right) and wrong.steps[-1].down == ()


@pytest.mark.parametrize(("ca", "flows"), [("ingress-ca", 8), ("management-ca", 1)])
def test_the_rehearsal_takes_the_steps_of_the_runbook(ca: str, flows: int) -> None:
    example = "kubernetes" if ca == "ingress-ca" else "in-cluster"
    text = next((paths.FIXTURES / "exports" / "sound" / example).iterdir()).read_text()
    said = [set(step.down) for step in renew(question(text), ca).steps if step.states][:-1]
    in_the_files = set().union(*said)
    assert len(in_the_files) >= flows
    assert said == [set(step.down) & in_the_files for step in rehearsal(ca).right.steps]
