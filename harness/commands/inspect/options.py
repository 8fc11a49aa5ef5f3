"""What ``hopproof inspect`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class InspectOptions:
    """The verb's options.  ``posture`` '' is jwt in our own lab; a target file says its own."""

    flow: str | None = None
    target: str = "embedded"
    posture: str = ""
    fault: str = ""
    ui: str = "none"
    port: int = 8443
    web_port: int = 8081
    rules: Path | None = None
    record: Path | None = None
    save: Path | None = None
    exercise: bool = False
    as_client: bool = False
