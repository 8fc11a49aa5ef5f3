"""``hopproof inspect`` on the embedded lab: what it expects comes from the catalogue, what it marks from the judge."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.catalogue.registry import catalogue
from harness.commands.inspect import InspectOptions, expected, inspect, session
from harness.commands.inspect.subject import open_subject
from harness.commands.inspect.verb import Driver
from harness.errors import UsageError
from harness.model.case import Stimulus
from harness.model.vocabulary import Posture
from harness.pki.private_files import private_file
from harness.targets.builtin import EMBEDDED
from harness.tests.command import PATIENCE

ROOT = Path(__file__).resolve().parents[3]


def _inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "inspect", "--exercise", *arguments]
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_the_reference_satisfies(tmp_path: Path) -> None:
    done = _inspect("--record", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "sent good: answered 201" in done.stdout and "sent exp-past: answered 401" in done.stdout
    assert done.stdout.strip().endswith("inspected: 6 satisfies"), done.stdout
    for name in ("inspection.mitm", "inspection.har"):
        text = (tmp_path / name).read_text("utf-8", "replace")
        assert "<jwt sha256:" in text and "eyJ" not in text


def test_a_fault_is_seen_where_it_happens() -> None:
    """In whichever of the processes that share the port it happens; the counts are of all of them."""
    done = _inspect("--fault", "ignores-expiry", "--flow", "management-to-analytics")
    message = "violates JWT-13-TIME: POST /ingestion: answered 202: accepted with the token exp-past (exp was 36"
    assert message in done.stdout
    assert done.stdout.strip().endswith("inspected: 5 satisfies, 1 violates"), done.stdout


@pytest.mark.parametrize("oauth2", ["mandatory", "optional", "disabled"])
def test_a_gateway_is_judged_by_certificate_and_token(oauth2: str) -> None:
    done = _inspect("--flow", f"client-to-mtls-mandatory-oauth2-{oauth2}")
    assert "sent tls-no-cert: answered 401" in done.stdout and "sent ta-unknown-ca: answered 401" in done.stdout
    assert done.stdout.strip().endswith("inspected: 8 satisfies"), done.stdout


def test_a_strangers_certificate_that_a_gateway_takes_is_seen() -> None:
    done = _inspect("--flow", "client-to-mtls-optional-oauth2-disabled", "--fault", "gateway-trusts-any-certificate")
    assert "violates APK-3: POST" in done.stdout and "holds a certificate that is not configured" in done.stdout
    assert done.stdout.strip().endswith("inspected: 7 satisfies, 1 violates"), done.stdout


def test_what_is_expected_of_a_gateway_is_of_this_api_alone() -> None:
    known = catalogue()
    flow = known.flows["client-to-mtls-mandatory-oauth2-mandatory"]
    found = expected(known, EMBEDDED.features, flow, Posture.JWT)
    assert {item["requirement"]["id"] for item in found.values()} == {"APK-2", "APK-7"}
    assert found["good"]["check"] == "served" and found["header-malformed"]["requirement"]["id"] == "APK-2"


def test_ctrl_c_ends_it_in_order() -> None:
    """As a terminal sends it: to every process of the session, while stdin stays open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "inspect"], cwd=ROOT, start_new_session=True, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stderr
    patience = threading.Timer(PATIENCE, process.kill)
    patience.start()
    try:
        assert process.stdout.readline().startswith("inspecting ")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == 0
        assert process.stderr.read() == "" and process.stdout.read().endswith("inspected: nothing\n")
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def test_nothing_gets_through_where_mtls_is_required() -> None:
    done = _inspect("--posture", "mtls")
    assert "sent good: answered 502" in done.stdout
    assert done.stdout.strip().endswith("inspected: 6 satisfies"), done.stdout


def test_with_the_clients_certificate_mtls_lets_it_through() -> None:
    done = _inspect("--posture", "mtls", "--as-client")
    assert "sent good: answered 201" in done.stdout and "violates" not in done.stdout, done.stdout


def test_what_is_expected_is_the_catalogues() -> None:
    known = catalogue()
    flow = known.flows["management-to-portal"]

    def of(posture: Posture, *, as_client: bool = False) -> dict[str, Any]:
        return expected(known, EMBEDDED.features, flow, posture, as_client=as_client)

    jwt, mtls, client = of(Posture.JWT), of(Posture.MTLS), of(Posture.MTLS, as_client=True)
    assert jwt["good"]["requirement"]["id"] == "FLW-4" and jwt["good"]["check"] == "served"
    assert jwt["exp-past"]["check"] == "token-refused" and "tls-no-cert" not in jwt
    assert {item["requirement"]["id"] for item in mtls.values()} == {"FLW-3"}
    assert client["good"]["check"] == "served" and client["tls-no-cert"]["check"] == "certificate-refused"


@pytest.mark.parametrize(
    "wanted",
    [
        InspectOptions(flow="none"),
        InspectOptions(posture="none"),
        InspectOptions(target="file.yaml"),
        InspectOptions(target="x"),
        InspectOptions(fault="none"),
    ],
    ids=["flow", "posture", "target", "name", "fault"],
)
def test_what_cannot_be_inspected_is_reported(wanted: InspectOptions) -> None:
    with pytest.raises(UsageError):
        inspect(wanted, lambda _line: None)


def test_a_saved_session_holds_no_key_and_no_place(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    assert inspect(InspectOptions(save=file), lambda _line: None) == 0
    text = file.read_text("utf-8")
    assert "PRIVATE" not in text and "eyJ" not in text and '"good"' in text
    places = [value for value in _texts(json.loads(text)) if value.startswith("/") and Path(value).is_absolute()]
    assert not [value for value in places if "hopproof-" in value], places


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


@contextmanager
def _mitmdump(session_file: Path, server: Mapping[str, Any], *scripts: str) -> Iterator[tuple[int, Any]]:
    """A stock mitmdump with the inspector as a script; its port, and its lines."""
    port = _free_port()
    reading, writing = os.pipe()
    command = [sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()", "-q"]
    command += ["-s", str(ROOT / "mitm_addons" / "inspector.py"), *(part for name in scripts for part in ("-s", name))]
    command += ["--mode", f"reverse:https://{server['host']}:{server['port']}@127.0.0.1:{port}"]
    message = json.loads(session_file.read_text("utf-8"))
    options = [f"hopproof_session={session_file}", f"hopproof_ready={writing}", f"certs=*={message['certificate']}"]
    options += [f"confdir={session_file.parent}", "http2=false", "keep_host_header=true", "connection_strategy=lazy"]
    command += [part for option in options for part in ("--set", option)]
    with os.fdopen(reading, "rb") as ready:
        process = subprocess.Popen(command, pass_fds=(writing,), stdout=subprocess.PIPE, cwd=session_file.parent)
        os.close(writing)
        patience = threading.Timer(PATIENCE, process.kill)
        patience.start()
        try:
            assert ready.read() == b"ready"
            yield port, process.stdout
        finally:
            patience.cancel()
            process.terminate()
            process.wait(PATIENCE)
            assert process.stdout is not None
            process.stdout.close()


def _sent_again(wanted: InspectOptions) -> dict[str, tuple[str, str]]:
    """What mitmproxy as it comes marks of an exchange sent again with each change: stimulus -> verdict, requirement."""
    subject = open_subject(wanted)
    try:
        known = session.session(subject, as_client=wanted.as_client)
        message = {**known, **session.secrets(subject, as_client=wanted.as_client)}
        file = private_file(subject.folder / "session.json", json.dumps(message).encode())
        script = str(ROOT / "mitm_addons" / "tests" / "inspection" / "resending.py")
        with _mitmdump(file, known["upstream"], script) as (port, lines):
            assert Driver(subject).one(port, Stimulus(), "resent") == "answered 201"
            marks = [json.loads(lines.readline()) for _ in range(7)]
    finally:
        subject.close()
    assert [mark["verdict"] for mark in marks if not mark["replay"]] == ["satisfies"]
    sent = [mark for mark in marks if mark["replay"] and "refused" not in mark]
    return {mark["stimulus"]: (mark["verdict"], mark["requirement"]) for mark in sent}


def test_sent_again_with_one_thing_changed() -> None:
    """To a server that wants certificate and token: each change is refused but one."""
    found = _sent_again(InspectOptions(posture="both", as_client=True))
    assert found["tls-no-cert"][0] == "satisfies" and found["tls-no-cert"][1], found
    assert found["str-no-token"][0] == found["sig-wrong-key"][0] == "satisfies", found
    assert found["aud-wrong"] == ("not judged", ""), found
    assert set(found) == {"tls-no-cert", "aud-wrong", "exp-past", "str-no-token", "sig-wrong-key", "alg-none"}


@pytest.mark.parametrize(
    ("fault", "flow", "stimulus"),
    [
        ("accepts-alg-none", "management-to-portal", "alg-none"),
        ("ignores-expiry", "client-to-service", "exp-past"),
        ("ignores-audience", "client-to-service", "aud-wrong"),
        ("portal-skips-jwt-when-both", "management-to-api-gateway", "str-no-token"),
        ("portal-skips-mtls-when-both", "management-to-v5c-gateway", "tls-no-cert"),
        ("requests-but-does-not-require", "client-to-service", "tls-no-cert"),
    ],
)
def test_one_bad_credential_beside_a_good_one_is_a_violation_where_it_is_let_in(
    fault: str, flow: str, stimulus: str
) -> None:
    found = _sent_again(InspectOptions(flow=flow, posture="both", as_client=True, fault=fault))
    assert found[stimulus][0] == "violates", found


@pytest.mark.parametrize(
    ("flow", "fault", "verdict"),
    [
        ("client-to-service", "", "satisfies"),
        ("client-to-service", "ignores-audience", "violates"),
        ("order-processing-to-inventory", "", "satisfies"),
        ("order-processing-to-inventory", "ignores-audience", "violates"),
        ("client-to-edge-gateway", "", "satisfies"),
    ],
)
def test_sent_again_for_another_audience(flow: str, fault: str, verdict: str) -> None:
    """To a service that must look; between microservices the catalogue has scripts only."""
    assert _sent_again(InspectOptions(flow=flow, fault=fault))["aud-wrong"] == (verdict, "STS-5")


def test_a_token_must_name_what_a_requirement_speaks_of() -> None:
    for flow, required in (("client-to-service", ["exp", "iss", "aud"]), ("management-to-portal", ["exp"])):
        subject = open_subject(InspectOptions(flow=flow))
        try:
            assert session.session(subject, as_client=False)["token"]["required"] == required
        finally:
            subject.close()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
def test_the_console_shows_the_marks(tmp_path: Path) -> None:
    """As a person would: in a terminal, until the violation stands there; then explain it, and leave."""
    arguments = ["--ui", "console", "--port", str(_free_port()), "--fault", "ignores-expiry", "--exercise"]
    tmux = ["tmux", "-S", str(tmp_path / "tmux")]
    command = " ".join([sys.executable, "-m", "harness", "inspect", *arguments])
    subprocess.run([*tmux, "new-session", "-d", "-x", "180", "-y", "50", "-c", str(ROOT), command], check=True)
    try:
        screen = _Screen(tmux, tmp_path / "output")
        assert screen.until("inspect-5").count("/api/portals/inspect-") == 6
        subprocess.run([*tmux, "send-keys", *":hopproof.violations", "Enter"], check=True)
        shown = screen.until("inspect-3", without="inspect-5")
        assert "inspect-3" in shown and "inspect-1" not in shown
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


class _Screen:
    """A terminal in tmux, looked at whenever something was written to it."""

    def __init__(self, tmux: list[str], fifo: Path) -> None:
        self._tmux = tmux
        os.mkfifo(fifo)
        self._output = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        subprocess.run([*tmux, "pipe-pane", f"exec cat > {fifo}"], check=True)

    def until(self, text: str, without: str = "\0") -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run([*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True)
            if text in done.stdout and without not in done.stdout:
                return done.stdout
            if not select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))[0]:
                pytest.fail(f"{text!r} did not come:\n{done.stdout}")
            os.read(self._output, 65536)
