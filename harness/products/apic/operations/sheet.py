"""The sheet for the network team: each flow on one line, what its balancer may do, names, ports, CAs."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model.runbook import Runbook, Table
from harness.products.apic.operations.deployment import PORT, Met, host_of
from harness.products.apic.operations.inventory import in_cluster
from harness.products.apic.operations.plan import Wanted
from harness.products.apic.rules.certificates import INGRESS_CA
from harness.products.apic.rules.view import ANALYTICS, GATEWAY, MANAGEMENT, PORTAL


def sheet(wanted: Wanted, heading: str) -> Runbook:
    """For who runs the balancers and knows nothing of API Connect."""
    terminate = [each for each in wanted.met if each.flow.name in wanted.names]
    others = [each for each in wanted.met if each.flow.name not in wanted.names]
    either = [each for each in others if not _passes(wanted, each)]
    return Runbook(
        "Balancers between API Connect's subsystems",
        heading,
        before=(
            *_table("May terminate TLS, once the plan is complete", terminate),
            *_table("Must pass TLS through", [each for each in others if _passes(wanted, each)]),
            *_table("May do either", either),
            Table("To the platform REST API (JWKS, REST calls)", ("from", "to", "rule"), tuple(_platform(wanted))),
        ),
        closing=(
            "Where TLS is terminated: present a certificate for the host name in the table, "
            f"issued by {INGRESS_CA} or a CA"
            " that the clients trust; re-encrypt to the server, verify its certificate for the same name under"
            f" {INGRESS_CA}; send that name as SNI; do not change Authorization or the body; request no client"
            " certificate; hold no client's key.",
            "Where TLS is passed through: choose the server by SNI or address alone. A balancer that terminates there"
            " breaks the flow, since it does not hold the client's key.",
            "Ports are those of ingresses and routes; name yours where they differ.",
        ),
    )


def _passes(wanted: Wanted, each: Met) -> bool:
    changed = {change.server for change in wanted.changes}
    if each.flow.forbidden:
        return True
    return each.server.validates and each.server not in changed


def _table(title: str, flows: list[Met]) -> Iterator[Table]:
    rows = [(each.flow.name, _address(each), each.flow.forbidden) for each in flows]
    if rows:
        yield Table(title, ("flow", "to", "rule"), tuple(dict.fromkeys(rows)))


def _address(each: Met) -> str:
    return f"{host_of(each.server) or 'host not in the files'}:{PORT}"


def _platform(wanted: Wanted) -> Iterator[tuple[str, str, str]]:
    host = next(filter(None, map(host_of, wanted.view.of(MANAGEMENT))), "host not in the files")
    changed = {change.server for change in wanted.changes}
    for each in wanted.view.of(PORTAL, ANALYTICS, GATEWAY):
        if in_cluster(each):
            yield each.title, each.jwks, "a service of the cluster: no balancer"
            continue
        needed = "must be reachable: tokens are verified with keys from there; " if each in changed or each.jwks else ""
        yield (
            each.title,
            f"{host}:{PORT}",
            f"{needed}passes through, or presents a certificate for {host} under {INGRESS_CA}",
        )
