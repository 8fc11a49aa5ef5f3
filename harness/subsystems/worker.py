"""The operations of the subsystem process on its instances.  Knows no pipes: dicts come and dicts go."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError

from harness.errors import UsageError
from harness.subsystems.registry import Registry
from harness.subsystems.server.instance import LOOPBACK, Instance, Order, Surroundings

_log = logging.getLogger(__name__)


class Worker:
    """All instances of a process, of the kinds in *registry*.  *tell* takes the events it pushes."""

    def __init__(self, registry: Registry, reactor: Any, tell: Callable[[dict[str, Any]], None]) -> None:
        self._registry = registry
        self._around = Surroundings(reactor, tell)
        self._instances: dict[str, Instance] = {}

    async def obey(self, command: Any) -> dict[str, Any]:
        """The reply to *command*.  Raises nothing: a bad command is reported and does no harm."""
        number = command.get("id") if isinstance(command, dict) else None
        try:
            result = await self._do(command)
        except UsageError as error:
            return {"kind": "reply", "id": number, "ok": False, "error": str(error)}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _log.debug("bad command", exc_info=True)
            return {
                "kind": "reply",
                "id": number,
                "ok": False,
                "error": f"bad command ({type(error).__name__}: {error})",
            }
        except Exception as error:
            _log.exception("a command failed")
            return {"kind": "reply", "id": number, "ok": False, "error": f"{type(error).__name__}: {error}"}
        return {"kind": "reply", "id": number, "ok": True, "result": result}

    async def _do(self, command: Any) -> dict[str, Any]:
        name = command["op"]
        operations = {
            "start": self._start,
            "stop": self._stop,
            "state": self._state,
            "clock": self._clock,
            "act": self._act,
            "reload": self._reload,
        }
        if name not in operations:
            raise UsageError(f"unknown op {name!r}; known: {', '.join(operations)}")
        return await operations[name](command)

    async def _start(self, command: dict[str, Any]) -> dict[str, Any]:
        orders = [_order(self._registry, asked) for asked in command["instances"]]
        ids = [order.id for order in orders]
        taken = sorted({id_ for id_ in ids if ids.count(id_) > 1 or id_ in self._instances})
        if taken:
            raise UsageError(f"already there: {', '.join(taken)}")
        return {order.id: self._start_one(order) for order in orders}

    def _start_one(self, order: Order) -> dict[str, Any]:
        try:
            instance = Instance(order, self._around)
        except (UsageError, CannotListenError) as error:
            _log.info("%s: refused to start: %s", order.id, error)
            return {"refused": str(error)}
        self._instances[order.id] = instance
        return {"port": instance.port}

    async def _stop(self, command: dict[str, Any]) -> dict[str, Any]:
        found = {id_: self._instance(id_) for id_ in command["instances"]}
        for id_, instance in found.items():
            del self._instances[id_]
            await instance.stop()
        return {}

    async def _state(self, command: dict[str, Any]) -> dict[str, Any]:
        return {id_: self._instance(id_).state() for id_ in command["instances"]}

    async def _clock(self, command: dict[str, Any]) -> dict[str, Any]:
        for id_ in command.get("instances", list(self._instances)):
            self._instance(id_).clock.offset = float(command["offset"])
        return {}

    async def _act(self, command: dict[str, Any]) -> dict[str, Any]:
        instance = self._instance(command["instance"])
        return await instance.act(command["action"], command["target"], command["nonce"])

    async def _reload(self, command: dict[str, Any]) -> dict[str, Any]:
        return {"reloaded": self._instance(command["instance"]).reload(Path(command["config"]))}

    def _instance(self, id_: str) -> Instance:
        if id_ not in self._instances:
            raise UsageError(f"no instance {id_!r} is running")
        return self._instances[id_]


def _order(registry: Registry, asked: dict[str, Any]) -> Order:
    kind = registry.kind(asked["kind"])
    rules = registry.policy_with(asked.get("faults", ()), kind)
    return Order(
        asked["id"],
        kind,
        Path(asked["config"]),
        Path(asked["folder"]),
        asked.get("hosts", {}),
        rules,
        int(asked.get("port", 0)),
        str(asked.get("address", LOOPBACK)),
    )
