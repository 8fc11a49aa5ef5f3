"""Microservices behind a security token service (STS)."""

from harness.products.microservices.product import MICROSERVICES

__all__ = ["MICROSERVICES"]
