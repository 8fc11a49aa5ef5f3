"""What a finding asks for, as a patch: in the object that a person edits, a value that the files leave no doubt of."""

from __future__ import annotations

from harness.model.patch import Operation, Patch, Value, patch, put, take_out
from harness.model.resource import Resource
from harness.products.apic.rules.certificates import BY_NAME, INGRESS_CA, MANAGEMENT_CA, issuer_matches
from harness.products.apic.rules.view import Subsystem, View


def home(view: View, each: Subsystem) -> Subsystem | None:
    """Where a person edits the settings of *each*; None where that is not in the files.

    The operator overwrites what it generates; a top-level resource without the section is given the whole of it first.
    """
    if not each.owner:
        return each
    return next((one for one in view.stated if one.top_level and each in view.generated(one)), None)


def setting(view: View, each: Subsystem, value: Value, *path: str) -> Patch | None:
    """Give the setting *path* of *each* this *value*."""
    edited = home(view, each)
    return patch(edited.resource, set_in(edited, value, *path)) if edited is not None else None


def set_in(each: Subsystem, value: Value, *path: str | int) -> Operation:
    """Give the setting *path* of *each* this *value*, in the resource that it is read from."""
    return put(each.resource, value, *each.path, *path)


def without(each: Subsystem, *names: str) -> list[Operation]:
    """Remove those settings of *each* that there are, from the resource that it is read from."""
    return [take_out(*each.path, name) for name in names if each.spec.at(name) is not None]


def requested(resource: Resource, *operations: Operation) -> Patch | None:
    """A change of a Certificate object; None where an operator generates it."""
    return None if resource.root.items("metadata", "ownerReferences") else patch(resource, *operations)


def issuer(view: View, documented: str) -> str:
    """What the issuer that the tables call *documented* is called here."""
    issuers = view.question.files.of("Issuer", "ClusterIssuer")
    named = {each.name for each in issuers if issuer_matches(each.name, documented, view.instances)}
    if named:
        return documented if documented in named else min(named)
    if len(view.instances) != 1 or documented in named:
        return documented
    row = BY_NAME.get(documented)
    return f"{min(view.instances)}-{row.short if row else documented}"


def authority(view: View, each: Subsystem, inside: bool) -> str:
    """The Secret with the CA of the platform API, *inside* the cluster or from outside."""
    wanted = MANAGEMENT_CA if inside else INGRESS_CA
    near = [
        known.name
        for known in view.by_row.get(wanted, [])
        if (known.namespace, known.cluster) == (each.namespace, each.cluster)
    ]
    return min(near, default=wanted)
