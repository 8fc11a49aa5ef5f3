"""A server that speaks HTTP/2 only is told so before anything is judged; one that speaks both is judged in HTTP/1.1."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

from harness.config import Options
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.run.run import Run
from harness.tests.wire.servers import HOST, Server, Stream, reset, server_context

NAME = "portal-admin-client"


def http2(stream: Stream) -> None:
    """Serve one request in HTTP/2; what is none ends the connection as h2 has it."""
    peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    peer.initiate_connection()
    stream.sendall(peer.data_to_send())
    while data := stream.recv(65536):
        try:
            events = peer.receive_data(data)
        except h2.exceptions.ProtocolError:
            stream.sendall(peer.data_to_send())
            return
        for event in events:
            if isinstance(event, h2.events.StreamEnded):
                peer.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
        stream.sendall(peer.data_to_send())


@pytest.fixture
def trouble(tmp_path: Path) -> Callable[..., str]:
    Pki.create(reference().pki).write(tmp_path / "d")
    secrets = tmp_path / "d" / "secrets"

    def run(handler: Callable[[Stream], None], protocols: list[str], client: bool = True) -> str:
        context = server_context(secrets / "portal-admin", secrets / NAME / "ca.crt" if client else None)
        context.set_alpn_protocols(protocols)
        with Server(handler, context) as server:
            service = {
                "url": f"https://{HOST}:{server.port}/",
                "connect": f"127.0.0.1:{server.port}",
                "ca": str(secrets / "portal-admin" / "ca.crt"),
                "posture": "mtls" if client else "jwt",
            }
            data = {"product": {"name": "a"}, "environment": "lab", "rate": 1000, "servers": {"service": service}}
            if client:
                files = {"certificate": secrets / NAME / "tls.crt", "key": secrets / NAME / "tls.key"}
                data["client"] = {name: str(file) for name, file in files.items()}
            file = tmp_path / "target.yaml"
            file.write_text(json.dumps(data), "utf-8")
            found = Run(Options(target=str(file), report=tmp_path / "report", seed=1))
            found.start(found.cases)
            found.finish()
        assert found.status == 3
        return found.trouble[0]

    return run


@pytest.mark.parametrize("client", [True, False], ids=["with the good certificate", "with nothing"])
def test_a_server_that_speaks_http2_only_is_named(trouble: Callable[..., str], client: bool) -> None:
    assert "servers.service: speaks HTTP/2 only" in trouble(http2, ["h2"], client)


def test_one_that_speaks_both_and_resets_is_not(trouble: Callable[..., str]) -> None:
    assert "is ended with no answer" in trouble(reset, ["h2", "http/1.1"])


def test_one_that_knows_of_no_protocols_and_resets_is_not(trouble: Callable[..., str]) -> None:
    assert "is ended with no answer" in trouble(reset, [])
