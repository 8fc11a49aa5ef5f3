"""Command lines for API Connect on Kubernetes and OpenShift.  A name from a file is one argument, never an option."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.model.runbook import Command, Variable, Word
from harness.products.apic.operations.inventory import Site
from harness.products.apic.rules.view import Subsystem, View

_STRIPPED = ("creationTimestamp", "namespace", "resourceVersion", "uid", "selfLink", "ownerReferences", "managedFields")
_PLURAL = {
    "ManagementCluster": "managementclusters",
    "PortalCluster": "portalclusters",
    "AnalyticsCluster": "analyticsclusters",
    "GatewayCluster": "gatewayclusters",
    "APIConnectCluster": "apiconnectclusters",
}


@dataclass(frozen=True)
class Kubectl:
    """``kubectl``, or ``oc`` on OpenShift; each cluster of the files gets a variable for its context."""

    tool: str
    contexts: dict[str, Variable] = field(default_factory=dict)

    @classmethod
    def of(cls, view: View, sites: Iterable[Site]) -> Kubectl:
        """For the platform of *view*."""
        tool = "oc" if view.platform in ("openshift", "cp4i") else "kubectl"
        clusters = sorted({site.cluster for site in sites} - {""})
        contexts = {
            cluster: Variable(f"CONTEXT_{number}", f"the {tool} context of the cluster whose files are in {cluster}")
            for number, cluster in enumerate(clusters, 1)
        }
        return cls(tool, contexts)

    def at(self, site: Site, *words: Word) -> tuple[Word, ...]:
        """*words* for the namespace of *site*."""
        context = self.contexts.get(site.cluster)
        namespace = (f"--namespace={site.namespace}",) if site.namespace else ()
        return (self.tool, *(("--context", context) if context else ()), *words, *namespace)

    def delete_secrets(self, site: Site, names: Sequence[str]) -> Iterable[Command]:
        """Delete the secrets; cert-manager issues them again."""
        return (Command.of(*self.at(site, "delete", f"secret/{name}")) for name in names)

    def wait(self, site: Site, names: Sequence[str]) -> Iterable[Command]:
        """Wait until the secrets are there again."""
        for name in names:
            yield Command.of(*self.at(site, "wait", "--for=create", f"secret/{name}", "--timeout=300s"))

    def copy(self, name: str, origin: Site, target: Site) -> Command:
        """Copy a secret without what binds it to its namespace; server-side, so that no annotation repeats the key."""
        strip = "del(" + ", ".join(f".metadata.{each}" for each in _STRIPPED) + ")"
        return (
            Command.of(*self.at(origin, "get", f"secret/{name}", "--output=json"))
            .into("jq", strip)
            .into(*self.at(target, "apply", "--server-side", "--force-conflicts", "--filename=-"))
        )

    def restart(self, site: Site, pods: Sequence[str]) -> Command:
        """Delete the pods with one of these *pods* in their names; their controllers start them again."""
        pattern = f"-({'|'.join(pods)})-"
        return (
            Command.of(*self.at(site, "get", "pods", "--output=name"))
            .into("grep", "-E", "--", pattern)
            .into("xargs", "-r", *self.at(site, "delete"))
        )

    def issued_by(self, site: Site, issuers: Sequence[str]) -> Command:
        """The documented command: every secret that names one of *issuers* in its annotation.

        By sed, for grep fails where it finds none, and a script would stop there.
        """
        columns = (
            r"--output=custom-columns=NAME:.metadata.name,ISSUER:.metadata.annotations.cert-manager\.io/issuer-name"
        )
        one = issuers[0] if len(issuers) == 1 else f"({'|'.join(issuers)})"
        listed = Command.of(*self.at(site, "get", "secrets", columns, "--no-headers"))
        return listed.into("sed", "-n", "-E", f"/[ -]{one}$/p")

    def signer(self, site: Site, name: str) -> Command:
        """Who issued the certificate in the secret *name*, and until when."""
        return (
            Command.of(*self.at(site, "get", f"secret/{name}", r"--output=jsonpath={.data.tls\.crt}"))
            .into("base64", "-d")
            .into(
                "openssl",
                "x509",
                "-noout",
                "-subject",
                "-enddate",
                "-ext",
                "subjectKeyIdentifier,authorityKeyIdentifier",
            )
        )

    def patch(self, each: Subsystem, settings: dict[str, object]) -> Command:
        """Set *settings* of a subsystem where they belong: None removes one."""
        resource, value = each.resource, settings
        for key in reversed(each.path):
            value = {key: value}
        kind = f"{_PLURAL.get(resource.kind, resource.kind.lower())}.{resource.group}"
        words = ("patch", f"{kind}/{resource.name}", "--type=merge", f"--patch={json.dumps(value)}")
        return Command.of(*self.at(Site(each.cluster, each.namespace), *words))
