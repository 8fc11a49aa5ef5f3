"""Sends a load with Locust: ``python -m harness.probes.load.generator``, a plan on stdin, slices on stdout.

Who sends the plan keeps stdin open: the generator ends with it.

A process of its own, since importing Locust replaces the standard library's sockets with gevent's.  All arms are
measured in one run, one slice after the other in the order of the plan, so that what else the machine does meets them
alike.
"""

from __future__ import annotations

# First: gevent patches sockets and TLS before anything else imports them.
from locust import User, task  # isort: skip
from locust.env import Environment  # isort: skip

import http.client
import json
import logging
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import gevent
import psutil
from gevent.socket import wait_read

from harness.model.load import Order, Plan, Slice

_ANSWER_SECONDS = 10.0
_LATE_SECONDS = 15.0


@dataclass
class _Sample:
    served: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, other: dict[str, Any]) -> None:
        """Another worker's of the same slice."""
        self.served += other["served"]
        self.errors.update(other["errors"])
        self.milliseconds += other["milliseconds"]


class _Load:
    """The plan, where its time stands, and what this process has measured."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.began, self.sent = plan, 0.0, 0
        self.samples = [_Sample() for _ in plan["schedule"]]
        self.contexts = [_context(order) for order in plan["orders"]]
        self.prefix = f"{os.getpid() & 0xFFFFFF:06x}"

    def at(self, now: float) -> tuple[int, float]:
        """The slice at *now* (-1 before the first and after the last), and how long it has run."""
        index, into = divmod(now - self.began, self.plan["slice_seconds"])
        return (int(index), into) if self.began and 0 <= index < len(self.samples) else (-1, 0.0)

    def gap(self, now: float) -> float:
        """Seconds between two requests of one client, so that all keep the slice's rate at *now*; 0 at full load."""
        rate = self.plan["rates"][max(self.at(now)[0], 0)]
        # Not all at once: clients that started together would go on meeting the server together.
        return random.uniform(0.5, 1.5) * self.plan["users"] / rate if rate else 0.0  # noqa: S311

    def ends(self, index: int) -> float:
        """When that slice ends."""
        return self.began + (index + 1) * self.plan["slice_seconds"]

    def request(self, order: Order) -> bytes:
        """The next request of *order*, with a nonce that no other has."""
        self.sent += 1
        nonce = f"{self.prefix}{self.sent:010x}"
        return order["request"].replace(order["nonce"], nonce).encode("latin-1")


def _context(order: Order) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(order["ca"])
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    if order["identity"]:
        context.load_cert_chain(order["identity"])
    return context


class Client(User):
    """One client: good requests, one after the other, on a kept connection or each on a new one."""

    load: _Load
    _held: tuple[int, ssl.SSLSocket] | None = None
    _turn, _index = 0.0, -1

    def wait_time(self) -> float:
        """Seconds until its next request; one that comes late is made up for, by a second at most."""
        now = time.time()
        gap, index = self.load.gap(now), self.load.at(now)[0]
        if index != self._index:
            # What an earlier slice left undone is not this one's.
            self._index, self._turn = index, now + random.random() * gap - gap  # noqa: S311
        self._turn = max(self._turn + gap, now - 1.0) if gap else now
        return max(0.0, self._turn - now)

    @task
    def ask(self) -> None:
        """Send the request of the arm whose turn it is."""
        load, started = self.load, time.time()
        index, into = load.at(started)
        if index < 0 or load.sent >= load.plan["limit"]:
            gevent.sleep(0.05)
            return
        arm = load.plan["schedule"][index]
        error = self._once(arm, load.plan["orders"][arm])
        ended = time.time()
        elapsed = (ended - started) * 1000
        self.environment.events.request.fire(
            request_type="event", name=str(arm), response_time=elapsed, response_length=0, exception=error or None
        )
        if into < load.plan["warm_up"] or ended > load.ends(index):
            return
        sample = load.samples[index]
        if error:
            sample.errors[error] += 1
        else:
            sample.served += 1
            sample.milliseconds.append(round(elapsed, 2))

    def on_stop(self) -> None:
        """The load has ended."""
        self._drop()

    def _once(self, arm: int, order: Order) -> str:
        """One request; what went wrong, '' for nothing."""
        try:
            stream = self._connection(arm, order)
            stream.sendall(self.load.request(order))
            answer = http.client.HTTPResponse(stream, method=order["method"])
            answer.begin()
            answer.read()
            if answer.will_close or not order["kept"]:
                self._drop()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return _named(error)
        return "" if answer.status == order["success"] else f"HTTP {answer.status}"

    def _connection(self, arm: int, order: Order) -> ssl.SSLSocket:
        if self._held is not None and self._held[0] == arm:
            return self._held[1]
        self._drop()
        raw = socket.create_connection((order["host"], order["port"]), _ANSWER_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            stream = self.load.contexts[arm].wrap_socket(raw, server_hostname=order["server_name"] or None)
        except OSError:
            raw.close()
            raise
        self._held = (arm, stream)
        return stream

    def _drop(self) -> None:
        if self._held is not None:
            self._held[1].close()
            self._held = None


def _named(error: OSError | http.client.HTTPException) -> str:
    """What went wrong, in a word; OpenSSL gives no reason where the peer just closes the connection."""
    if not isinstance(error, ssl.SSLError):
        return type(error).__name__
    closed = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return "TLS: closed by the server" if closed else f"TLS: {error.reason or error.strerror or 'failed'}"


def _client(load: _Load) -> type[Client]:
    return type("FlowClient", (Client,), {"load": load})


def _cpu(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def _say(**message: Any) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201


def _end_with_the_plans_sender() -> None:
    """End this process and its workers, a group of their own, once stdin ends: who sent the plan holds it open."""
    wait_read(sys.stdin.fileno())
    os.killpg(0, signal.SIGKILL)


def lead(plan: Plan) -> None:
    """Run the whole plan: alone, or as the master of Locust workers."""
    gevent.spawn(_end_with_the_plans_sender)
    load = _Load(plan)
    environment = Environment(user_classes=[_client(load)])
    workers: list[subprocess.Popen[bytes]] = []
    late: Counter[int] = Counter()
    runner: Any
    if plan["workers"]:
        runner = environment.create_master_runner("127.0.0.1", _free_port())
        runner.register_message("slice", lambda environment, msg, **_: _merge(load, late, msg.data))
        workers = [_worker(plan, runner.master_bind_port) for _ in range(plan["workers"])]
        with gevent.Timeout(_LATE_SECONDS):
            while len(runner.clients.ready) < plan["workers"]:
                gevent.sleep(0.02)
    else:
        runner = environment.create_local_runner()
    try:
        runner.start(plan["users"], spawn_rate=plan["users"])
        load.began = time.time() + 0.5
        if plan["workers"]:
            runner.send_message("begin", {"at": load.began})
        own = [psutil.Process(), *(psutil.Process(worker.pid) for worker in workers)]
        _measure(load, own, late, len(workers))
    finally:
        runner.quit()
        for worker in workers:
            worker.wait(_LATE_SECONDS)


def _merge(load: _Load, late: Counter[int], data: dict[str, Any]) -> None:
    load.samples[data["index"]].add(data)
    late[data["index"]] += 1


def _measure(load: _Load, own: list[psutil.Process], late: Counter[int], workers: int) -> None:
    plan, fallen = load.plan, 0
    servers = [psutil.Process(pid) for pid in plan["servers"] if psutil.pid_exists(pid)]
    for index, arm in enumerate(plan["schedule"]):
        _until(load.ends(index) - plan["slice_seconds"] + plan["warm_up"])
        before, mine, since = _cpu(servers), _cpu(own), time.time()
        _until(load.ends(index))
        used, spent, seconds = _cpu(servers) - before, _cpu(own) - mine, time.time() - since
        if workers:
            with gevent.Timeout(_LATE_SECONDS):
                while late[index] < workers:
                    gevent.sleep(0.01)
        sample = load.samples[index]
        measured: Slice = {
            "arm": arm,
            "asked": plan["rates"][index],
            "seconds": seconds,
            "served": sample.served,
            "errors": dict(sample.errors),
            "milliseconds": sample.milliseconds,
            "server_cpu": used,
            "client_cpu": spent,
        }
        _say(kind="slice", slice=measured)
        fallen = 0 if sample.served else fallen + 1
        if fallen >= plan["patience"]:
            _say(kind="stopped", why=f"nothing was served in {fallen} consecutive slices")
            return
        if load.sent >= plan["limit"]:
            _say(kind="stopped", why=f"the limit of {plan['limit']} requests was reached")
            return


def _until(moment: float) -> None:
    gevent.sleep(max(0.0, moment - time.time()))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _worker(plan: Plan, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", __spec__.name, str(port)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(plan).encode() + b"\n")
    worker.stdin.close()
    return worker


def follow(plan: Plan, port: int) -> None:
    """Be one of the workers of the master at *port*."""
    load = _Load({**plan, "limit": plan["limit"] // plan["workers"]})
    environment = Environment(user_classes=[_client(load)])
    runner = environment.create_worker_runner("127.0.0.1", port)

    def begin(environment: Environment, msg: Any, **_: Any) -> None:
        load.began = msg.data["at"]
        gevent.spawn(report)

    def report() -> None:
        for index, sample in enumerate(load.samples):
            _until(load.ends(index) + 0.01)
            data = {"index": index, "served": sample.served, "errors": dict(sample.errors)}
            runner.send_message("slice", {**data, "milliseconds": sample.milliseconds})

    runner.register_message("begin", begin)
    runner.greenlet.join()


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # Locust's advice is about its own options; ours is in the report
    given: Plan = json.loads(sys.stdin.readline())
    if len(sys.argv) > 1:
        follow(given, int(sys.argv[1]))
    else:
        lead(given)
