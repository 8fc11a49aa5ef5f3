"""A load and what was measured of it: facts only.  Plain data, as it crosses from the generator's processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from harness.model.vocabulary import Path, Posture


class Connections(StrEnum):
    """Whether every request has a connection of its own."""

    KEPT = "kept"
    NEW = "new"


@dataclass(frozen=True)
class Arm:
    """One of the things compared: how the endpoint is protected, over which path, on which connections."""

    posture: Posture
    path: Path
    connections: Connections

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.posture}, {self.path}, {self.connections}"


class Order(TypedDict):
    """What the generator is to send for one arm.  It holds a token and the place of a key: pass it through a pipe."""

    host: str
    port: int
    server_name: str
    ca: str
    identity: str
    request: str
    nonce: str
    method: str
    success: int
    kept: bool


class Plan(TypedDict):
    """A whole load.  ``schedule`` is the order of the arms, a slice each, with the rates
    (0: full load) beside it; of ``servers`` the CPU time is taken.  ``patience``: slices in which nothing at all is
    served before the load stops."""

    orders: list[Order]
    schedule: list[int]
    slice_seconds: float
    warm_up: float
    users: int
    rates: list[float]
    workers: int
    servers: list[int]
    limit: int
    patience: int


class Slice(TypedDict):
    """What was measured in one slice, its warm-up left out.  ``asked`` events per second; 0 is full load."""

    arm: int
    asked: float
    seconds: float
    served: int
    errors: dict[str, int]
    milliseconds: list[float]
    server_cpu: float
    client_cpu: float


class Hour(TypedDict):
    """Ingestion in one hour of an outage: whether the key server ran, what was served and what was refused."""

    hour: int
    key_server: bool
    per_second: float
    errors: dict[str, int]


@dataclass(frozen=True)
class LoadRecord:
    """A finished load: slice *i* of an arm belongs to its round *i*.

    ``stopped`` says why it ended early, or ''; ``left_out`` are the combinations that were asked for and that the flow
    does not have.  ``token_ignored`` are the postures in which its server verifies no token, though one is sent;
    ``postures`` those that were to be compared.  ``steps`` are slices at rising rates, ``outage`` a day without
    the key server.
    """

    flow: str
    target: str
    users: int
    rate: float
    workers: int
    arms: Sequence[Arm]
    slices: Sequence[Slice]
    fetches: Mapping[str, int]
    stopped: str = ""
    left_out: Sequence[str] = ()
    token_ignored: Sequence[str] = ()
    postures: Sequence[Posture] = ()
    steps: Sequence[Slice] = ()
    outage: Sequence[Hour] = ()

    def of(self, arm: Arm) -> list[Slice]:
        """The slices of *arm*, in order."""
        number = list(self.arms).index(arm)
        return [item for item in self.slices if item["arm"] == number]
