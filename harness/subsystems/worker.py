"""The operations of the subsystem process on its instances.  Knows no pipes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError

from harness.decode.shape import read
from harness.errors import UsageError
from harness.model.observations import Start
from harness.model.protocol import (
    Act,
    Connection,
    InstanceOrder,
    Nothing,
    ReadState,
    Reload,
    Reloaded,
    Reply,
    SetClock,
    StartInstances,
    StopInstances,
)
from harness.subsystems.registry import Registry
from harness.subsystems.server.instance import Instance, Order, Surroundings

_log = logging.getLogger(__name__)

_Known = StartInstances | StopInstances | ReadState | SetClock | Act | Reload
_COMMANDS: tuple[type[_Known], ...] = (StartInstances, StopInstances, ReadState, SetClock, Act, Reload)


class Worker:
    """All instances of a process, of the kinds in *registry*.  *tell* takes the events it pushes."""

    def __init__(self, registry: Registry, reactor: Any, tell: Callable[[Connection], None]) -> None:
        self._registry = registry
        self._around = Surroundings(reactor, tell)
        self._instances: dict[str, Instance] = {}

    async def obey(self, command: object) -> Reply:
        """The reply to *command*.  Raises nothing: a bad command is reported and does no harm."""
        number = command.get("id") if isinstance(command, dict) else None
        try:
            return Reply(number, result=await self._do(_read(command)))
        except UsageError as error:
            return Reply(number, ok=False, error=str(error))
        except Exception as error:
            _log.exception("a command failed")
            return Reply(number, ok=False, error=f"{type(error).__name__}: {error}")

    async def _do(self, command: _Known) -> object:
        match command:
            case StartInstances():
                return self._start(command.instances)
            case StopInstances():
                return await self._stop(command.instances)
            case ReadState():
                return {id_: self._instance(id_).state() for id_ in command.instances}
            case SetClock():
                return self._clock(command)
            case Act():
                instance = self._instance(command.instance)
                return await instance.act(command.action, command.target, command.nonce)
            case Reload():
                return Reloaded(reloaded=self._instance(command.instance).reload(Path(command.config)))

    def _start(self, asked: Sequence[InstanceOrder]) -> dict[str, Start]:
        orders = [_order(self._registry, one) for one in asked]
        ids = [order.id for order in orders]
        taken = sorted({id_ for id_ in ids if ids.count(id_) > 1 or id_ in self._instances})
        if taken:
            raise UsageError(f"already there: {', '.join(taken)}")
        return {order.id: self._start_one(order) for order in orders}

    def _start_one(self, order: Order) -> Start:
        try:
            instance = Instance(order, self._around)
        except (UsageError, CannotListenError) as error:
            _log.info("%s: refused to start: %s", order.id, error)
            return {"refused": str(error)}
        self._instances[order.id] = instance
        return {"port": instance.port}

    async def _stop(self, ids: Sequence[str]) -> Nothing:
        found = {id_: self._instance(id_) for id_ in ids}
        for id_, instance in found.items():
            del self._instances[id_]
            await instance.stop()
        return {}

    def _clock(self, command: SetClock) -> Nothing:
        for id_ in self._instances if command.instances is None else command.instances:
            self._instance(id_).clock.offset = float(command.offset)
        return {}

    def _instance(self, id_: str) -> Instance:
        if id_ not in self._instances:
            raise UsageError(f"no instance {id_!r} is running")
        return self._instances[id_]


def _read(command: object) -> _Known:
    """The command that a line of JSON is; raises UsageError for one that is none."""
    if not isinstance(command, dict):
        raise UsageError("bad command (it is not an object)")
    name = command.get("op")
    form = next((form for form in _COMMANDS if form.op == name), None)
    if form is None:
        raise UsageError(f"unknown op {name!r}; known: {', '.join(form.op for form in _COMMANDS)}")
    try:
        return read({key: value for key, value in command.items() if key not in ("id", "op")}, form)
    except ValueError as error:
        raise UsageError(f"bad command ({error})") from error


def _order(registry: Registry, asked: InstanceOrder) -> Order:
    kind = registry.kind(asked.kind)
    rules = registry.policy_with(asked.faults, kind)
    config, folder = Path(asked.config), Path(asked.folder)
    return Order(asked.id, kind, config, folder, asked.hosts, rules, asked.port, asked.address)
