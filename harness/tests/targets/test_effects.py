"""Side effects looked up at somebody else's server: what the lookup does not say is not guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from harness.config import Options
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.run.run import Run
from harness.tests.wire.servers import HOST, Server, Stream, hold, request_of, server_context

CLAIMS = {"iss": "i", "aud": "a", "sub": "s"}
Lookup = Callable[["Service", str], int]


class Service:
    """Verifies tokens; POST /orders/NAME keeps NAME, GET /seen/NAME says whether it did, as *lookup* answers.

    ``careless`` keeps what it refuses; a lookup that answers 0 says nothing.
    """

    def __init__(self, pki: Pki, lookup: Lookup, careless: bool = False) -> None:
        self._key, self.lookup, self.careless = pki.signing_key.public_key(), lookup, careless
        self.kept: set[str] = set()
        self.asked = 0
        self.named: list[tuple[str, str]] = []

    def handle(self, stream: Stream) -> None:
        head, *lines = request_of(stream).decode("latin-1").split("\r\n")
        if not head:
            return  # a handshake and no more
        method, path, _ = head.split(" ")
        if method == "GET":
            self.named.append((path.rpartition("/")[2], "\n".join(lines)))
        status = self._answer(method, path.rpartition("/")[2], self._good(lines))
        if status:
            stream.sendall(f"HTTP/1.1 {status} Something\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            hold(stream)

    def _answer(self, method: str, name: str, good: bool) -> int:
        if method == "GET" and good:
            self.asked += 1
            return self.lookup(self, name)
        if good or self.careless:
            self.kept.add(name)
        return 200 if good else 401

    def _good(self, lines: list[str]) -> bool:
        values = [line.partition(": ")[2] for line in lines if line.lower().startswith("authorization: bearer ")]
        try:
            jwt.decode(values[0][7:], self._key, ["RS256"], audience="a", issuer="i", options={"require": ["exp"]})
        except (jwt.PyJWTError, IndexError):
            return False
        return len(values) == 1


def honest(service: Service, name: str) -> int:
    return 200 if name in service.kept else 404


def after(lookups: int, then: int) -> Lookup:
    """Honest for the first lookups, then always the same answer."""
    return lambda service, name: honest(service, name) if service.asked <= lookups else then


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


@pytest.fixture
def judged(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    monkeypatch.setattr("harness.wire.send.ANSWER_SECONDS", 0.5)
    pki.write(tmp_path / "d")
    secrets = tmp_path / "d" / "secrets"

    def judge(service: Service, success: int = 200) -> Run:
        with Server(service.handle, server_context(secrets / "portal-admin")) as server:
            orders = {
                "url": f"https://{HOST}:{server.port}/",
                "connect": f"127.0.0.1:{server.port}",
                "ca": str(secrets / "portal-admin" / "ca.crt"),
                "posture": "jwt",
                "request": {
                    "method": "POST",
                    "path": "/orders/{nonce}",
                    "body": "",
                    "effect": {"path": "/seen/{nonce}", "success": success},
                },
            }
            data = {
                "product": {"name": "orders"},
                "environment": "lab",
                "rate": 1000,
                "servers": {"orders": orders},
                "tokens": {"signing_key": str(tmp_path / "d" / "jwt" / "signing.key"), "claims": CLAIMS},
            }
            file = tmp_path / "target.yaml"
            file.write_text(json.dumps(data), "utf-8")
            only = ("*FLW-5*", "*JWT-13-NONE*", "*JWT-13-TIME*")
            run = Run(Options(target=str(file), report=tmp_path / "report", seed=1, only=only))
            run.start(run.cases)
            run.finish()
        return run

    return judge


def outcomes(run: Run) -> dict[str, str]:
    return {row["stimulus"]: row["outcome"] for row in run.rows}


def test_an_honest_lookup(pki: Pki, judged: Callable[..., Run]) -> None:
    service = Service(pki, honest)
    run = judged(service)
    assert set(outcomes(run).values()) == {"PASS"}, run.trouble
    assert {"good", "str-no-token", "exp-past"} <= set(outcomes(run))
    assert service.asked > len(run.rows)


def test_what_is_refused_and_done_all_the_same(pki: Pki, judged: Callable[..., Run]) -> None:
    run = judged(Service(pki, honest, careless=True))
    assert run.status == 1
    found = outcomes(run)
    assert found.pop("good") == "PASS"
    assert set(found.values()) == {"WRONG_REASON"}
    assert all("acted upon" in row["reason"] for row in run.rows if row["outcome"] == "WRONG_REASON")


@pytest.mark.parametrize(
    ("lookup", "message"),
    [
        (lambda service, name: 200, "answers 200 for a request that was never sent"),
        (lambda service, name: 404, "answers 404 after the good request, not 200"),
        (lambda service, name: 500, "answers 500 after the good request, not 200"),
        (lambda service, name: 0, "answers nothing after the good request, not 200"),
        (after(1, 500), "answers 500 for a request that was never sent"),
        (after(1, 401), "answers 401 for a request that was never sent"),
        (after(1, 302), "answers 302 for a request that was never sent"),
        (after(1, 0), "answers nothing for a request that was never sent"),
    ],
    ids=["yes to all", "no to all", "breaks", "mute", "breaks later", "refuses later", "redirects", "mute later"],
)
def test_a_lookup_that_tells_nothing_ends_the_run(
    pki: Pki, judged: Callable[..., Run], lookup: Lookup, message: str
) -> None:
    run = judged(Service(pki, lookup))
    assert run.status == 3
    assert message in run.trouble[0] and "request.effect" in run.trouble[0]
    assert {(row["outcome"], row["reason_code"]) for row in run.rows} == {("UNOBSERVED", "not-judged")}


@pytest.mark.parametrize(("then", "message"), [(500, "answered 500"), (401, "answered 401"), (0, "answered nothing")])
def test_a_lookup_that_breaks_later_leaves_the_case_open(
    pki: Pki, judged: Callable[..., Run], then: int, message: str
) -> None:
    run = judged(Service(pki, after(2, then), careless=True))
    assert run.status == 3
    assert set(outcomes(run).values()) == {"UNOBSERVED"}
    assert all(f"/seen/{{nonce}} {message}" in row["reason"] for row in run.rows if row["stimulus"] == "good")


def test_one_answer_for_all_is_none_whatever_it_is(pki: Pki, judged: Callable[..., Run]) -> None:
    run = judged(Service(pki, lambda service, name: 204), success=204)
    assert run.status == 3
    assert "answers 204 for a request that was never sent" in run.trouble[0]


def test_a_lookup_goes_under_a_name_of_its_own(pki: Pki, judged: Callable[..., Run]) -> None:
    service = Service(pki, honest)
    judged(service)
    assert service.named
    assert all(name not in head for name, head in service.named)
