"""Which cases a run takes: depth, globs, and what a fault breaks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

from harness.config import Options, Skip
from harness.errors import UsageError
from harness.model.case import Case, Withheld
from harness.model.vocabulary import Depth

_LIST = "see hopproof list cases"


def matches(case: Case, glob: str) -> bool:
    """Whether *glob* means *case*: its whole id, a leading part of it, or one of its parts (``FLW-2``, a flow, a path).

    ``__`` stands for ``/`` as it does in file names.
    """
    pattern = _plain(glob)
    if fnmatchcase(case.id, pattern) or fnmatchcase(case.id, f"{pattern}/*"):
        return True
    return "/" not in pattern and any(fnmatchcase(part, pattern) for part in case.id.split("/"))


def _plain(glob: str) -> str:
    return glob.replace("__", "/").rstrip("/")


def select(
    cases: Iterable[Case], options: Options, withheld: Collection[Withheld] = ()
) -> tuple[list[Case], list[tuple[Case, Skip]]]:
    """The cases that *options* take, and those they skip with the reason given; *withheld* ones do not apply here.

    Raises :class:`UsageError` for a selection, or a single glob, that means nothing.
    """
    cases = list(cases)
    for glob in options.only:
        if not any(matches(case, glob) for case in cases):
            raise _nothing(glob, withheld)
    for skip in options.skip:
        if not any(matches(case, skip.glob) for case in (*cases, *(item.case for item in withheld))):
            raise _nothing(skip.glob, withheld)
    requested = [case for case in cases if _wanted(case, options)]
    skipped = [(case, skip) for case in requested for skip in _first(options.skip, case)]
    left_out = {case.id for case, _ in skipped}
    selected = [case for case in requested if case.id not in left_out]
    if not selected:
        raise _empty(withheld) if not cases else UsageError("the selection has no cases", hint=_LIST)
    return selected, skipped


def _nothing(glob: str, withheld: Iterable[Withheld]) -> UsageError:
    found = next((item for item in withheld if matches(item.case, glob)), None)
    if found is None:
        return UsageError(f"no case matches {glob!r}", hint=_LIST)
    return UsageError(f"{glob!r} does not apply here: {found.reason}", hint="leave it out, or add what is missing")


def _empty(withheld: Collection[Withheld]) -> UsageError:
    why = next((f"; {item.case.requirement.id}: {item.reason}" for item in withheld), "")
    return UsageError(f"no case of the catalogue applies here{why}", hint=_LIST)


def _wanted(case: Case, options: Options) -> bool:
    if options.fault and options.fault in case.requirement.faults and not options.only:
        return True
    if not named(case, options):
        return False
    deep_enough = options.depth is Depth.FULL or case.depth is Depth.QUICK
    return (
        deep_enough
        or bool(options.fault and options.fault in case.requirement.faults)
        or case.id in map(_plain, options.only)
    )


def named(case: Case, options: Options) -> bool:
    """Whether *options* mean *case* by name, whatever the depth: no ``--only``, or one that matches."""
    return not options.only or any(matches(case, glob) for glob in options.only)


def _first(skips: Iterable[Skip], case: Case) -> list[Skip]:
    return [skip for skip in skips if matches(case, skip.glob)][:1]
