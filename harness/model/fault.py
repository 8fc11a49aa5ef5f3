"""Fault: one named, deliberate mistake of a server; the proof that the checks can fail.  Plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A named mistake that a subsystem (or a balancer) can be configured to make.

    ``on`` are the kinds of server that can have it; ``implies`` names what fails besides the requirements it breaks,
    because the mistake cannot be made without it: other faults, or requirements (globs of their ids); ``where`` is
    what has it (``subsystem``, ``balancer``, or ``files``).
    """

    name: str
    area: str
    on: tuple[str, ...]
    summary: str
    implies: tuple[str, ...] = ()
    where: str = "subsystem"
