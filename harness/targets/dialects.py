"""The dialect of a target file as the checks know it.  Judges nothing."""

from __future__ import annotations

from harness.checks.dialect import CERTIFICATE_STATUSES, TOKEN_STATUSES, Dialect, Refusal
from harness.targets.file import TargetFile


def dialect_of(file: TargetFile) -> Dialect:
    """How else than usual *file*'s product says no."""
    return Dialect(
        name=file.product,
        certificate_statuses=CERTIFICATE_STATUSES | file.certificate_statuses,
        token_statuses=TOKEN_STATUSES | file.token_statuses,
        refusal=None if file.refusal is None else Refusal(**file.refusal),
    )
