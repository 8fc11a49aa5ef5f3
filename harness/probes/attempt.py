"""One try of a case, as far as the client alone can tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.lab import Entrypoint
from harness.model.exchange import ClientView
from harness.model.script_facts import Facts


@dataclass(frozen=True)
class Attempt:
    """What one try left behind on the client's side, before anybody else was asked.

    ``acts`` says that the request, if accepted, has an effect that can be looked for; ``asked`` is the nonce of the
    request on *client_port*, where that is another than the one which the attempt is about; ``began`` is the
    time.monotonic() before that connection.
    """

    nonce: str
    entrypoint: Entrypoint | None = None
    client: ClientView | None = None
    client_port: int | None = None
    acts: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    asked: str = ""
    began: float = 0.0
    steps: tuple[Facts, ...] = ()
