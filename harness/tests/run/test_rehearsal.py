"""Rehearsals: what the lab measures, that it agrees with the runbook, and that it says so where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.catalogue.registry import FAULTS, catalogue
from harness.cli import main
from harness.errors import LabError, UsageError
from harness.lab.embedded import embedded_lab
from harness.products.apic.operations.rehearsal import rehearsal
from harness.products.registry import reference
from harness.products.rehearsal import LabStep, Order, Part
from harness.run.rehearsal import Player, Result, Sample, Traffic, _outages
from harness.run.rehearsal_report import document
from harness.writers import runbook as writer

FLOWS = ("management-to-portal", "portal-to-management")


def play(order: Order, flows: tuple[str, ...] = FLOWS) -> Result:
    lab, known = embedded_lab(reference(), catalogue().servers, catalogue().flows, FAULTS), catalogue()
    try:
        return Player(lab, known.flows, flows).play(order)
    finally:
        lab.close()


@pytest.mark.parametrize("which", ["right", "wrong"])
def test_the_lab_does_what_the_runbook_says(which: str) -> None:
    planned = rehearsal("ingress-ca")
    order = planned.right if which == "right" else planned.wrong
    result = play(order, planned.flows)
    assert result.as_predicted, [(step.step.title, step.down, step.unsteady) for step in result.steps]
    assert result.steps[-1].down == () and {outage.flow for outage in result.outages} == set(planned.flows)
    most = max(len(step.down) for step in result.steps)
    assert most == (5 if which == "right" else 10)


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
        ["renew", "management-ca", "--rehearse"],
        ["renew", "ingress-ca", "x.yaml", "--rehearse"],
        ["renew", "ingress-ca", "--rehearse", "--format", "shell"],
        ["renew", "ingress-ca"],
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_only_the_ca_between_subsystems() -> None:
    with pytest.raises(UsageError, match="portal-ca cannot be rehearsed"):
        rehearsal("portal-ca")


def test_the_wrong_order_is_the_longer_one() -> None:
    planned = rehearsal("ingress-ca")
    count: Callable[[Order], int] = lambda order: sum(len(step.down) for step in order.steps)  # noqa: E731
    assert count(planned.wrong) > 2 * count(planned.right)
    assert replace(planned.right, title="").steps[-1].down == planned.wrong.steps[-1].down == ()
