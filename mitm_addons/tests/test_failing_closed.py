"""An exception in any hook denies: the client gets the balancer's own refusal, and no request goes on."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.model.exchange import BalancerView
from mitm_addons.tests.conftest import terminating_listener
from mitm_addons.tests.peers import PATIENCE, Process, Upstream, client, read_message, request, status


@pytest.fixture
def sabotage(
    pki: SimpleNamespace, serve: Callable[..., Upstream]
) -> Callable[..., tuple[bytes, Upstream, BalancerView]]:
    """Runs one request through a balancer with a raising hook: the answer, what the server heard, the record."""

    def run(hook: str, **settings: Any) -> tuple[bytes, Upstream, BalancerView]:
        process, upstream = Process(["mitm_addons.tests.sabotaged", hook]), serve()
        try:
            port = process.listen(**terminating_listener(pki, "a", upstream.port) | settings)
            answer = b""
            with contextlib.suppress(ssl.SSLError, ConnectionError), client(port, pki.ca, "portal.test") as connection:
                connection.sendall(request(b"secret"))
                answer = read_message(connection)
            record = process.record()
        finally:
            assert process.end() == 0
        return answer, upstream, record

    return run


@pytest.mark.parametrize(
    ("hook", "expected"),
    [("server_connect", 502), ("server_connected", 502), ("tls_start_server", 502), ("request", 500)],
)
def test_a_request_is_refused_and_not_forwarded(
    sabotage: Callable[..., tuple[bytes, Upstream, BalancerView]], hook: str, expected: int
) -> None:
    answer, upstream, record = sabotage(hook)
    assert status(answer) == expected
    assert f"denied: {hook} raised RuntimeError" in record.detail
    assert upstream.heard.empty() or upstream.heard.get(timeout=PATIENCE).request == b""


@pytest.mark.parametrize("hook", ["_layer", "tls_start_client"])
def test_a_connection_is_closed(sabotage: Callable[..., tuple[bytes, Upstream, BalancerView]], hook: str) -> None:
    answer, upstream, record = sabotage(hook)
    assert (answer, record.established, record.upstream_port) == (b"", False, None)
    assert "raised RuntimeError" in record.detail
    assert upstream.heard.empty()


def test_an_answer_is_held_back(sabotage: Callable[..., tuple[bytes, Upstream, BalancerView]]) -> None:
    answer, _, record = sabotage("response")
    assert status(answer) == 502
    assert b"X-From" not in answer
    assert "denied: response raised RuntimeError" in record.detail


@pytest.mark.parametrize("hook", ["tls_failed_server", "error"])
def test_a_failure_stays_a_failure(
    sabotage: Callable[..., tuple[bytes, Upstream, BalancerView]], pki: SimpleNamespace, hook: str
) -> None:
    answer, _, record = sabotage(hook, upstream_ca=str(pki.rogue_ca))
    assert status(answer) == 502
    assert f"denied: {hook} raised RuntimeError" in record.detail
