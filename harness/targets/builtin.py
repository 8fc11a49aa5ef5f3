"""What a run can judge: by name, where it is, what it has, and how to get a bench on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.catalogue import Catalogue
from harness.catalogue.registry import FAULTS
from harness.errors import UsageError
from harness.lab.embedded import BALANCER, embedded_lab
from harness.lab.reference import ReferenceLab
from harness.model.case import Case
from harness.model.claims import Claim
from harness.model.vocabulary import Grade
from harness.probes.exports import Exports
from harness.probes.live import Bench
from harness.products.registry import reference
from harness.stimuli.factory import Stimuli
from harness.stimuli.tokens import HeldTokenIssuer
from harness.targets.reference_exports import reference_exports

REVOCATION = "client-revocation"


def _as_it_is(catalogue: Catalogue) -> Catalogue:
    return catalogue


def _nothing(case: Case) -> str:
    return ""


@dataclass(frozen=True)
class Target:
    """Something to judge.

    ``scope`` says in words what a verdict about it says; ``own_lab`` that its servers are our own, so that nothing may
    remain unobserved; ``bench(catalogue, seed)`` brings it up, and closing the bench's lab takes it down.  ``adapt``
    puts its own servers and requests into the catalogue, ``withhold`` says why a case does not apply to it, or ''.
    ``claims`` are the protections that it declares, which are to be shown; none where our own reference is judged.
    ``exports`` are its files, by product; None where there are none to judge.  ``profile`` is the reading of its
    product's documents that counts, '' where all of them do.  ``authorities`` is how each of its servers is called in a
    URL, where that is known before anything is started.
    """

    name: str
    scope: str
    own_lab: bool
    grade: Grade
    features: Collection[str]
    bench: Callable[[Catalogue, int], Bench]
    adapt: Callable[[Catalogue], Catalogue] = _as_it_is
    withhold: Callable[[Case], str] = _nothing
    claims: tuple[Claim, ...] = ()
    exports: Callable[[str], Exports] | None = None
    profile: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)


def embedded_bench(catalogue: Catalogue, seed: int, balancer: Sequence[str] = BALANCER) -> Bench:
    """A bench on the embedded lab, presenting its deployment's credentials, good and bad.

    *balancer*: see :class:`harness.lab.embedded.EmbeddedPlacement`.
    """
    lab = embedded_lab(reference(), catalogue.servers, catalogue.flows, FAULTS, balancer)
    try:
        return _bench(lab, seed)
    except BaseException:
        lab.close()
        raise


def _bench(lab: ReferenceLab, seed: int) -> Bench:
    token_issuer, others = HeldTokenIssuer.of(lab.pki, lab.now), HeldTokenIssuer.others(lab.pki, lab.now)
    stimuli = Stimuli(lab.pki, token_issuer, lab.folder / "clients", others)
    lab.on_close.append(stimuli.attacker_listener.close)
    return Bench(lab, stimuli, seed)


EMBEDDED = Target(
    name="embedded",
    scope="Hopproof's own reference subsystems on loopback, which says nothing yet about your deployment.",
    own_lab=True,
    grade=ReferenceLab.grade,
    features=reference().features | {"embedded"},
    bench=embedded_bench,
    exports=reference_exports,
)


def containers_bench(catalogue: Catalogue, seed: int) -> Bench:
    """A bench on the container lab.  Docker's libraries are imported only here, so no other run pays for them."""
    from harness.lab.containers.lab import container_lab

    lab = container_lab(reference(), catalogue.servers, catalogue.flows, FAULTS)
    return _bench(lab, seed)


CONTAINERS = Target(
    name="containers",
    scope="Hopproof's own reference subsystems in containers, which says nothing yet about your deployment.",
    own_lab=True,
    grade=Grade.BOTH_SIDES,
    features=reference().features | {"containers"},
    bench=containers_bench,
    exports=reference_exports,
)
_BY_NAME: Mapping[str, Target] = {target.name: target for target in (EMBEDDED, CONTAINERS)}


def find(name: str) -> Target:
    """The target called *name*; raises :class:`UsageError` for an unknown one, or one that cannot be had here."""
    if name not in _BY_NAME:
        raise UsageError(f"unknown target {name!r}", hint=f"one of: {', '.join(_BY_NAME)}; or a target file (*.yaml)")
    if name == CONTAINERS.name:
        from harness.lab.containers import daemon

        daemon.check()
    return _BY_NAME[name]
