"""Frozen types that every other part speaks in.  Standard library only, no I/O, no policy."""
