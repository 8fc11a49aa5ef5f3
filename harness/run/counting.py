"""How many cases there are, and why not all of them are run."""

from __future__ import annotations

from collections.abc import Sequence

from harness.catalogue.selection import named
from harness.config import Options
from harness.model.case import Case
from harness.model.vocabulary import Depth
from harness.writers.counts import Counts


def counted(
    applicable: Sequence[Case], planned: Sequence[Case], skipped: Sequence[Case], withheld: int, options: Options
) -> Counts:
    """Counts of the *applicable* cases, of which *planned* are run; *withheld* is how many do not apply."""
    taken = {case.id for case in (*planned, *skipped)}
    left = [case for case in applicable if case.id not in taken]
    too_deep = [case for case in left if case.depth is not Depth.QUICK and options.depth is Depth.QUICK]
    deeper = sum(named(case, options) for case in too_deep)
    return Counts(
        catalogue=len(applicable) + withheld,
        withheld=withheld,
        apply=len(applicable),
        run=len({case.id for case in planned}),
        deeper=deeper,
        unselected=len(left) - deeper,
        skipped=len({case.id for case in skipped}),
    )
