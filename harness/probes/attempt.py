"""One try of a case, as far as the client alone can tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.lab import Entrypoint
from harness.model.exchange import ClientView
from harness.model.observations import Observations
from harness.model.script_facts import Facts


@dataclass(frozen=True)
class Attempt:
    """What one try left behind on the client's side, before the servers were asked.

    ``acts`` says that the request, if accepted, has an effect that can be looked for; ``asked`` is the nonce of the
    request on *client_port*, where that is another than the one which the attempt is about; ``began`` is the
    time.monotonic() before that connection.
    """

    nonce: str
    entrypoint: Entrypoint | None = None
    client: ClientView | None = None
    client_port: int | None = None
    acts: bool = True
    extra: Observations = field(default_factory=Observations)
    asked: str = ""
    began: float = 0.0
    steps: tuple[Facts, ...] = ()

    @property
    def dropped(self) -> bool:
        """Whether the connection ended with neither an alert nor a response, which says nothing about why."""
        client = self.client
        if client is None or client.response is not None:
            return False
        return client.closed and not (client.alert or client.fault or client.server_refused)
