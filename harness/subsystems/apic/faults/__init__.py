"""Mistakes that only API Connect's subsystems can make."""

from harness.subsystems.apic.faults import flows

__all__ = ["flows"]
