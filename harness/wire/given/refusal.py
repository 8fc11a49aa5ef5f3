"""The one exception of this package, which the makers of stimuli share."""

from __future__ import annotations

from harness.wire.refusal import CannotMake

__all__ = ["CannotMake"]
