"""What API Connect makes of a set of files: the rules on them, and the procedures for the objects in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.model.runbook import Runbook
from harness.products.apic.exports import FAULTS, REFERENCE
from harness.products.apic.operations import plan, renewal
from harness.products.apic.operations.rehearsal import rehearsal
from harness.products.apic.operations.sheet import sheet
from harness.products.apic.operations.twin import states
from harness.products.apic.rules import FILE_RULES, headed
from harness.products.apic.rules.posture import configured
from harness.products.apic.rules.view import KINDS, TOP, View
from harness.products.rules import Plan, Question


def renew(question: Question, name: str) -> Runbook:
    """How to renew the CA *name*; raises :class:`UsageError` for what is no CA."""
    view = View(question)
    judgement = headed(question, view)
    return renewal.runbook(view, name, judgement.heading, judgement.remarks)


def terminate(question: Question, flows: Sequence[str]) -> Plan:
    """How to let balancers terminate TLS on *flows*; raises :class:`UsageError` for what the documents forbid."""
    view = View(question)
    judgement = headed(question, view)
    wanted = plan.Wanted(view, flows)
    return Plan(
        plan.runbook(wanted, judgement.heading, judgement.remarks), sheet(wanted, judgement.heading), states(wanted)
    )


_JUDGES = (
    "ManagementCluster, PortalCluster, DevPortalCluster, AnalyticsCluster, GatewayCluster, APIConnectCluster,"
    " EventGateway, Certificate, Issuer, and Secrets or PEM files under the names of its tables (kubectl get"
    " mgmt,ptl,a7s,gw,certificates,issuers,secrets -n NAMESPACE -o yaml; from 12.1 also devptl)"
)
OPERATIONS = replace(
    FILE_RULES,
    judges=_JUDGES,
    kinds=frozenset({*KINDS, TOP, "Certificate", "Issuer", "ClusterIssuer", "Secret"}),
    renewal=renew,
    termination=terminate,
    rehearsal=rehearsal,
    reference=REFERENCE,
    faults=FAULTS,
    configured=configured,
)
