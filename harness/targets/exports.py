"""Exported files as a target: alone, or beside the servers that they configure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.catalogue import Catalogue
from harness.catalogue.product import of_files, with_files, without_files
from harness.errors import UsageError
from harness.model.case import Case
from harness.model.vocabulary import AND, EXPORTS, Grade
from harness.probes.exports import Exports
from harness.probes.live import Bench
from harness.products.registry import file_rules
from harness.targets.builtin import Target
from harness.targets.reference_exports import flows_by_server

_ALONE = "no live server is tested; give its target file beside the files"
_REFERENCE = "the reference servers are not configured by these files"


def beside(target: Target | None, paths: Sequence[str], product: str = "", profile: str = "") -> Target:
    """*target* with the files at *paths* judged as well, as files of *product* in the reading *profile*; None: the
    files alone.

    Raises :class:`UsageError` where nothing can be read there, or the product has no rules on files.
    """
    if product and product not in file_rules():
        raise UsageError(f"there are no rules for the files of {product!r}", hint="leave --product out")
    said = {claim.flow: (claim.certificate, claim.token) for claim in target.claims} if target else {}
    unsaid = _ALONE if target is None else "" if not target.own_lab else _REFERENCE
    exports = replace(Exports.load(product, paths, profile), said=said, flows=flows_by_server(), unsaid=unsaid)
    scope = f"the files in {', '.join(paths)} as written, and no running server."
    if target is None:
        return Target(
            name=AND.join(f"{EXPORTS}{path}" for path in paths),
            scope=scope,
            own_lab=False,
            grade=Grade.CONFIG,
            features=frozenset(),
            bench=_no_servers,
            adapt=lambda known: of_files(known, exports.product),
            withhold=exports.absent,
            exports=_only(exports),
        )
    return replace(
        target,
        scope=f"{target.scope} Besides, the files in {', '.join(paths)}.",
        adapt=_both(target.adapt, exports.product),
        withhold=_live(target, exports),
        exports=_only(exports),
    )


def _only(exports: Exports) -> Callable[[str], Exports]:
    return lambda _product: exports


def _both(adapt: Callable[[Catalogue], Catalogue], product: str) -> Callable[[Catalogue], Catalogue]:
    def adapted(known: Catalogue) -> Catalogue:
        return with_files(without_files(adapt(known)), known, product)

    return adapted


def _live(target: Target, exports: Exports) -> Callable[[Case], str]:
    return lambda case: exports.absent(case) if case.reads_files else target.withhold(case)


def _no_servers(_catalogue: Catalogue, _seed: int) -> Bench:
    raise AssertionError("files alone have no servers")
