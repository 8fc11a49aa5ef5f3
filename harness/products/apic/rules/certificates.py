"""The certificates of API Connect: tables 1 to 5 of "API Connect TLS certificates", a row each.  Data only.

The developer portal of 12.1 is in none of them; its rows are those of the helper files of 12.1.0.1
(``ingress-issuer-v1.yaml``, ``custom-certs-external.yaml``), without what these leave open.
``short`` is the name on Cloud Pak for Integration and with a top-level custom resource, prefixed with the instance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.products.apic.rules.profiles import DEVELOPER_PORTAL_SINCE, Release

SELF_SIGNING, INGRESS = "selfsigning-issuer", "ingress-issuer"
MANAGEMENT_CA, PORTAL_CA, ANALYTICS_CA, INGRESS_CA = "management-ca", "portal-ca", "analytics-ca", "ingress-ca"
CA, CLIENT, SERVER = "ca", "client", "server"
INTER, USER, INTRA = "between subsystems", "for users", "inside a subsystem"
TWO_DATA_CENTRES, CP4I, TESTING = "2DCDR", "CP4I", "automated API behavior testing"
OF_ISSUER = {INGRESS: INGRESS_CA, **{ca: ca for ca in (MANAGEMENT_CA, PORTAL_CA, ANALYTICS_CA)}}
"""The CA behind each issuer."""


@dataclass(frozen=True)
class Row:
    """One certificate: names, issuer, use ('' where the tables name none), when it exists, what to restart by hand."""

    name: str
    short: str
    subsystem: str
    issuer: str
    use: str
    scope: str
    purpose: str
    condition: str = ""
    only_release: str = ""
    restart: tuple[str, ...] = ()
    legacy: str = ""
    dns: tuple[str, ...] = ()
    since: Release = ()


_NAMESPACE = ("*.{namespace}", "*.{namespace}.svc", "*.{instance}-server.{namespace}.svc", "{instance}-server")
_PORTAL = (
    *_NAMESPACE,
    "*.{instance}-{site}-db-all.{namespace}.svc",
    "*.{instance}-{site}-www-all.{namespace}.svc",
    "*.{instance}-{site}-db-all.{namespace}.svc.cluster.local",
    "*.{instance}-{site}-www-all.{namespace}.svc.cluster.local",
    "*.{namespace}.svc.cluster.local",
    "{instance}-db",
)
_INGESTION = ("storage", "ingestion")
_LEGACY = "a legacy certificate; nothing uses it"


def _database(name: str, only: str = "", condition: str = "") -> Row:
    text = "management's database"
    return Row(name, name, "management", MANAGEMENT_CA, "", INTRA, text, condition=condition, only_release=only)


MANAGEMENT = (
    Row(
        INGRESS_CA,
        INGRESS_CA,
        "management",
        SELF_SIGNING,
        CA,
        INTER,
        "signs every certificate between subsystems and for users",
        restart=("apim", "portal-www"),
    ),
    Row(MANAGEMENT_CA, "mgmt-ca", "management", SELF_SIGNING, CA, INTRA, "signs management's own certificates"),
    Row("management-client", "mgmt-client", "management", MANAGEMENT_CA, CLIENT, INTRA, "between management's pods"),
    Row(
        "management-server",
        "mgmt-server",
        "management",
        MANAGEMENT_CA,
        SERVER,
        INTRA,
        "between management's pods",
        dns=_NAMESPACE,
    ),
    Row(
        "analytics-client-client",
        "a7s-cl-client",
        "management",
        INGRESS,
        CLIENT,
        INTER,
        "nothing, since 10.0.5",
        legacy="a legacy certificate from before 10.0.5; nothing uses it, and it is safe to delete",
    ),
    Row(
        "analytics-ingestion-client",
        "a7s-ing-client",
        "management",
        INGRESS,
        CLIENT,
        INTER,
        "what management and the gateways present to analytics",
        restart=("apim", "taskmanager", "analytics-proxy"),
    ),
    Row(
        "portal-admin-client",
        "ptl-adm-client",
        "management",
        INGRESS,
        CLIENT,
        INTER,
        "what management presents to the portal's admin endpoint",
    ),
    Row(
        "gateway-client-client",
        "gw-dr-client",
        "management",
        INGRESS,
        CLIENT,
        INTER,
        "what management presents to the gateway's manager endpoint",
        restart=("apim", "taskmanager"),
    ),
    Row("api-endpoint", "mgmt-platform-api", "management", INGRESS, SERVER, USER, "the platform REST API"),
    Row("consumer-endpoint", "mgmt-consumer-api", "management", INGRESS, SERVER, USER, "the consumer REST API"),
    Row("apim-endpoint", "mgmt-api-manager", "management", INGRESS, SERVER, USER, "the API Manager UI"),
    Row("cm-endpoint", "mgmt-admin", "management", INGRESS, SERVER, USER, "the Cloud Manager UI"),
    _database("db-client-apicuser"),
    _database("db-client-pgbouncer", "10.0.6"),
    _database("db-client-postgres"),
    _database("db-client-primaryuser", "10.0.6"),
    _database("postgres"),
    _database("postgres-pgbouncer", "10.0.6"),
    _database("postgres-operator", "10.0.6"),
    Row("natscluster-mgmt", "natscluster-mgmt", "management", MANAGEMENT_CA, "", INTRA, "the nats pods"),
    _database("db-client-replicator", "10.0.6", TWO_DATA_CENTRES),
    Row(
        "mgmt-replication-client",
        "mgmt-replication-client",
        "management",
        INGRESS,
        CLIENT,
        INTER,
        "the warm standby's connection to the active data centre",
        condition=TWO_DATA_CENTRES,
    ),
    Row(
        "mgmt-replication-server",
        "mgmt-replication-server",
        "management",
        INGRESS,
        SERVER,
        INTER,
        "the active data centre's tunnel",
        condition=TWO_DATA_CENTRES,
    ),
    Row("hub-endpoint", "hub-endpoint", "management", INGRESS, SERVER, USER, "the testing hub", condition=TESTING),
    Row(
        "turnstile-endpoint",
        "turnstile-endpoint",
        "management",
        INGRESS,
        SERVER,
        USER,
        "the testing turnstile",
        condition=TESTING,
    ),
)
ANALYTICS = (
    Row(
        "analytics-ai-endpoint",
        "a7s-ai-endpoint",
        "analytics",
        INGRESS,
        SERVER,
        INTER,
        "the ingestion endpoint",
        restart=("mtls-gw",),
    ),
    Row(
        ANALYTICS_CA,
        "a7s-ca",
        "analytics",
        SELF_SIGNING,
        CA,
        INTRA,
        "signs analytics' own certificates",
        restart=_INGESTION,
    ),
    Row(
        "analytics-client",
        "a7s-client",
        "analytics",
        ANALYTICS_CA,
        CLIENT,
        INTRA,
        "between analytics' pods",
        restart=_INGESTION,
    ),
    Row(
        "analytics-server",
        "a7s-server",
        "analytics",
        ANALYTICS_CA,
        SERVER,
        INTRA,
        "between analytics' pods",
        restart=_INGESTION,
        dns=(*_NAMESPACE, "{instance}-storage"),
    ),
)
PORTAL = (
    Row(PORTAL_CA, "ptl-ca", "portal", SELF_SIGNING, CA, INTRA, "signs the portal's own certificates"),
    Row("portal-client", "ptl-client", "portal", PORTAL_CA, CLIENT, INTRA, "between the portal's pods"),
    Row("portal-server", "ptl-server", "portal", PORTAL_CA, SERVER, INTRA, "between the portal's pods", dns=_PORTAL),
    Row("portal-admin", "ptl-director", "portal", INGRESS, SERVER, INTER, "the portal's admin endpoint"),
    Row("portal-web", "portal-web", "portal", INGRESS, SERVER, USER, "the portal's sites"),
    Row(
        "ptl-replication-client",
        "ptl-replication-client",
        "portal",
        INGRESS,
        CLIENT,
        INTER,
        "the warm standby's connection to the active data centre",
        condition=TWO_DATA_CENTRES,
    ),
    Row(
        "ptl-replication-server",
        "ptl-replication-server",
        "portal",
        INGRESS,
        SERVER,
        INTER,
        "the active data centre's tunnel",
        condition=TWO_DATA_CENTRES,
    ),
)
GATEWAY = (
    Row("gateway-peering", "gw-peer", "gateway", INGRESS, "", INTER, "between the gateways of a cluster"),
    Row("gateway-service", "gw-svc", "gateway", INGRESS, "", INTER, "nothing", legacy=_LEGACY),
    Row("gwv6-endpoint", "gw-gateway", "gateway", INGRESS, "", INTER, "nothing", legacy=_LEGACY),
    Row(
        "gwv6-manager-endpoint",
        "gw-gateway-manager",
        "gateway",
        INGRESS,
        SERVER,
        INTER,
        "the gateway's manager endpoint",
    ),
)
EVENT_GATEWAY = (
    Row(
        "event-gateway-management-client",
        "event-gateway-management-client",
        "event-gateway",
        INGRESS,
        CLIENT,
        INTER,
        "what management presents to the event gateway",
        condition=CP4I,
    ),
)
_ADMIN, _SITES = "the developer portal's admin endpoint", "the developer portal's sites"
_PRESENTED = "what the developer portal presents to webMethods gateways"
DEVELOPER_PORTAL = tuple(
    Row(name, name, subsystem, INGRESS, use, scope, purpose, since=DEVELOPER_PORTAL_SINCE)
    for name, subsystem, use, scope, purpose in (
        ("devportal-admin-client", "management", CLIENT, INTER, f"what management presents to {_ADMIN}"),
        ("wmapigateway-devportal-client", "gateway", CLIENT, INTER, f"what webMethods gateways present to {_ADMIN}"),
        ("devportal-wmapigateway-client", "developer-portal", CLIENT, INTER, _PRESENTED),
        ("devportal-admin", "developer-portal", SERVER, INTER, _ADMIN),
        ("devportal-web", "developer-portal", SERVER, USER, _SITES),
    )
)
TABLES = (MANAGEMENT, ANALYTICS, PORTAL, GATEWAY, EVENT_GATEWAY, DEVELOPER_PORTAL)
ROWS: tuple[Row, ...] = tuple(row for table in TABLES for row in table)
BY_NAME = {name: row for row in ROWS for name in (row.name, row.short)}
OF_ENDPOINT = {
    endpoint: BY_NAME[name]
    for endpoint, name in (
        ("platformAPIEndpoint", "api-endpoint"),
        ("consumerAPIEndpoint", "consumer-endpoint"),
        ("apiManagerEndpoint", "apim-endpoint"),
        ("cloudManagerEndpoint", "cm-endpoint"),
        ("portalAdminEndpoint", "portal-admin"),
        ("portalUIEndpoint", "portal-web"),
        ("devportalAdminEndpoint", "devportal-admin"),
        ("devportalUIEndpoint", "devportal-web"),
        ("gatewayManagerEndpoint", "gwv6-manager-endpoint"),
        ("ingestion", "analytics-ai-endpoint"),
    )
}
"""By endpoint of a custom resource: what its secret is for, whatever it is called."""


def row_of(name: str, instances: frozenset[str] = frozenset()) -> Row | None:
    """The row that the object called *name* stands for; a short name may carry the prefix of one of *instances*."""
    if name in BY_NAME:
        return BY_NAME[name]
    return next((BY_NAME[rest] for rest in _without_prefix(name, instances) if rest in BY_NAME), None)


def _without_prefix(name: str, instances: frozenset[str]) -> Iterator[str]:
    for instance in sorted(instances, key=len, reverse=True):
        if name.startswith(f"{instance}-"):
            yield name[len(instance) + 1 :]


def issuer_matches(name: str, documented: str, instances: frozenset[str]) -> bool:
    """Whether the issuer called *name* is the one that a table calls *documented*."""
    known = {documented}
    if documented in BY_NAME:
        known.add(BY_NAME[documented].short)
    if documented == SELF_SIGNING:
        known |= {"self-signed", "selfsigned"}  # what Cloud Pak for Integration calls it
    if documented == INGRESS:
        known.add("apic-ingress-issuer")  # what the operator of 12.1.1 makes where a resource names none
    return name in known or any(name == f"{instance}-{each}" for instance in instances for each in known)
