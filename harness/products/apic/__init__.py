"""IBM API Connect: its certificates, its custom resources, who publishes keys, what differs in which setup."""

from harness.products.apic.product import APIC

__all__ = ["APIC"]
