"""The container lab: a reference lab whose management, servers and balancers run in containers of their own."""

from __future__ import annotations

from collections.abc import Mapping

from harness.lab.containers.disruptions import ContainerOperator
from harness.lab.containers.placement import ContainerPlacement
from harness.lab.reference import ReferenceLab
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.products.product import Product


def container_lab(
    product: Product, servers: Mapping[str, Server], flows: Mapping[str, Flow], faults: Mapping[str, Fault]
) -> ReferenceLab:
    """A reference lab in containers, with an operator; the arguments are :class:`ReferenceLab`'s.  Raises LabError."""
    placement = ContainerPlacement(product, servers)
    lab = ReferenceLab(product, servers, flows, faults, placement)
    lab.operator = ContainerOperator(lab, placement)
    return lab
