"""What a run is to judge, by the options that name it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath

from harness.config import Options
from harness.errors import UsageError
from harness.model.vocabulary import is_file
from harness.targets import builtin
from harness.targets.builtin import Target
from harness.targets.deployment import Deployment
from harness.targets.exports import beside
from harness.targets.load_record import with_load


def target_of(options: Options) -> Target:
    """The target that *options* name: one of ours, a target file, exported files, or one of the former with files.

    Raises :class:`UsageError` for none of them.
    """
    target = _named(options)
    return with_load(target, options.load) if options.load else target


def _named(options: Options) -> Target:
    if options.exports:
        if options.fault:
            raise UsageError(
                ("--fault is for the reference servers and files only"), hint="leave --target or --fault out"
            )
        live = target_of(replace(options, target=options.servers)) if options.servers else None
        return beside(live, options.exports, options.product, options.profile)
    if not is_file(options.target):
        return builtin.find(options.target)
    if options.fault:
        raise UsageError("--fault is for the reference servers only", hint="leave --target or --fault out")
    deployment = Deployment.load(FilePath(options.target), options.read_only, options.profile)
    return replace(deployment, keep=options.keep, wait=options.wait).target()
