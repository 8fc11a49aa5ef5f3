"""What products' faults have in common about the port: each product names its own, since other requirements find it."""

from __future__ import annotations

from dataclasses import replace

from harness.subsystems.server.policy import ServerPolicy


def answering_clear_text(rules: ServerPolicy) -> ServerPolicy:
    """A policy that serves plain HTTP on the TLS port as well."""
    return replace(rules, answers_clear_text=True)
