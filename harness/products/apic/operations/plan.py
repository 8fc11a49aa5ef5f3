"""The way from mTLS to JWT for flows whose balancer is to terminate TLS: refusals, tables, steps.

Order: the token is verified first, then the certificate no longer, and only then does the balancer terminate.  In every
state between, a flow that was protected stays protected, and each step can be undone alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.errors import UsageError, refuse
from harness.model.runbook import Runbook, Table
from harness.products.apic.operations.deployment import Met, flows_of, jwks_url, protection
from harness.products.apic.operations.flow_facts import FLOWS, OUTAGE
from harness.products.apic.operations.plan_steps import Change, steps
from harness.products.apic.rules.profiles import INGESTION_JWT_SINCE, JWT_SINCE, before
from harness.products.apic.rules.view import ANALYTICS, View

_CA = ("mgmtPlatformEndpointCASecret", "mgmtPlatformEndpointSvcCASecret")


class Wanted:
    """The flows that are to be terminated, in *view*; raises :class:`UsageError` for what the documents forbid."""

    def __init__(self, view: View, names: Sequence[str]) -> None:
        self.view = view
        self.names = tuple(dict.fromkeys(names))
        self.met = list(flows_of(view))
        refuse(self._refusals())
        self.asked = [each for each in self.met if each.flow.name in self.names]
        self.url = jwks_url(view)
        if not self.url:
            raise UsageError("no JWKS URL is in the files", hint="add the ManagementCluster resource, with its status")
        servers = dict.fromkeys(each.server for each in self.asked)
        self.changes = [Change(view, server, self.url) for server in servers]

    def _refusals(self) -> Iterator[UsageError]:
        there = {each.flow.name for each in self.met}
        for name in self.names:
            if name not in FLOWS:
                yield UsageError(f"no flow is called {name!r}", hint=f"one of: {', '.join(FLOWS)}")
            elif FLOWS[name].forbidden:
                yield UsageError(f"{name} cannot be terminated ({FLOWS[name].forbidden})", hint="pass it through")
            elif name not in there:
                yield UsageError(f"the files have no {name}", hint="give the resources of both its subsystems")
            elif FLOWS[name].kind == ANALYTICS:
                yield from self._shared(name)

    def _shared(self, name: str) -> Iterator[UsageError]:
        """Every flow to analytics ends at one endpoint with one switch."""
        server = next(each.server for each in self.met if each.flow.name == name)
        for other in self.met:
            if other.server is server and other.flow.forbidden and self.view.alone():
                yield UsageError(
                    f"{name} cannot be terminated beside {other.flow.name} ({other.flow.forbidden}; the analytics"
                    " endpoint has one switch for both)",
                    hint="pass it through, or give that gateway an analytics subsystem of its own",
                )


def runbook(wanted: Wanted, heading: str, remarks: Sequence[str]) -> Runbook:
    """The plan for the people who change the resources."""
    return Runbook(
        title=f"Plan: TLS terminated on {', '.join(wanted.names)}",
        heading=heading,
        remarks=(*remarks, *_remarks(wanted)),
        before=(_prerequisites(wanted), _protections(wanted)),
        steps=steps(wanted.changes, [each.flow.name for each in wanted.asked]),
        after=(_readable(wanted), _outage(wanted)),
        closing=(
            "To go back, do it in the opposite order: the balancer passes TLS through, mtlsValidateClient: true, and"
            " only then is jwksUrl removed. Both off at once is invalid (CFG-1, CFG-16). Nothing has been executed.",
        ),
    )


def _remarks(wanted: Wanted) -> Iterator[str]:
    changed = {change.server for change in wanted.changes}
    along = sorted({each.flow.name for each in wanted.met if each.server in changed} - set(wanted.names))
    if along:
        yield (
            f"{', '.join(along)} ends at the same endpoint, which has one switch: it is verified by JWT from then on"
            " too, whether or not its balancer terminates."
        )


def _prerequisites(wanted: Wanted) -> Table:
    rows = []
    for change in wanted.changes:
        rows.append(_release(wanted, change))
        if not change.place.top_level:
            there = any(change.server.spec.text(name, "secretName") for name in _CA)
            state = "met" if there else "not met: set with jwksUrl below"
            rows.append((f"{change.title} validates the platform API's CA, so that keys come from management", state))
        rows.append((f"{change.title} reaches {wanted.url}", "check, from its pods"))
        if change.server.kind == ANALYTICS:
            rows.append((f"{change.title} with JWT handles the expected event rate (JWT-12)", "measure it first"))
    return Table("Prerequisites", ("what", "state"), tuple(rows))


def _release(wanted: Wanted, change: Change) -> tuple[str, str]:
    events = any(each.server is change.server and each.flow.since == INGESTION_JWT_SINCE for each in wanted.met)
    since = INGESTION_JWT_SINCE if events else JWT_SINCE
    release = wanted.view.release_of(change.server)
    name, found = ".".join(map(str, since)), ".".join(map(str, release))
    if not release:
        state = "not known: give --release"
    else:
        state = f"NOT met: it is {found}; upgrade first" if before(release, since) else f"met: it is {found}"
    return f"{change.title} is release {name} or later (CFG-8)", state


def _protections(wanted: Wanted) -> Table:
    changed = {change.server for change in wanted.changes}
    rows = []
    for each in wanted.met:
        server = each.server
        now = protection(server.validates, bool(server.jwks), server.kind)
        after = protection(False, True, server.kind) if server in changed else now
        rows.append((each.flow.name, now, after if after != now else "the same", _balancer(wanted, each)))
    return Table("How clients are authenticated", ("flow", "today", "afterwards", "balancer"), tuple(rows))


def _balancer(wanted: Wanted, each: Met) -> str:
    if each.flow.name in wanted.names:
        return "terminates"
    return "passes through" if each.server.validates or each.flow.forbidden else "as today"


def _readable(wanted: Wanted) -> Table:
    rows = [
        (each.flow.name, each.flow.content, "the JWT; anyone who reads it can use it until it expires")
        for each in wanted.asked
    ]
    return Table(
        "What becomes readable at the balancer",
        ("flow", "payload", "credential"),
        tuple(rows),
        "With mTLS none of it was readable there. The connection behind the balancer stays TLS.",
    )


def _outage(wanted: Wanted) -> Table:
    rows = [(change.title, *OUTAGE[change.server.kind]) for change in wanted.changes]
    return Table("When management is down", ("server", "what stops", "after how long"), tuple(rows))
