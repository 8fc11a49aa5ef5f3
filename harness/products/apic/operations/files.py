"""What API Connect makes of a set of files: the rules on them, and the procedures for the objects in them."""

from __future__ import annotations

from dataclasses import replace

from harness.model.runbook import Runbook
from harness.products.apic.exports import FAULTS, REFERENCE
from harness.products.apic.operations import renewal
from harness.products.apic.rules import FILE_RULES, headed
from harness.products.apic.rules.posture import configured
from harness.products.apic.rules.view import View
from harness.products.rules import Question


def renew(question: Question, name: str) -> Runbook:
    """How to renew the CA *name*; raises :class:`UsageError` for what is no CA."""
    view = View(question)
    judgement = headed(question, view)
    return renewal.runbook(view, name, judgement.heading, judgement.remarks)


OPERATIONS = replace(FILE_RULES, renewal=renew, reference=REFERENCE, faults=FAULTS, configured=configured)
