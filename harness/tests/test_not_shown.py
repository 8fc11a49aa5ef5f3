"""What a run of a target file does not show: the third answer, from the outside, and what brings it about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.config import Options, Skip
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.claims import Answer
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.pki.deployment import Pki
from harness.pki.keys import key_pem
from harness.products.registry import reference
from harness.run.run import Run
from harness.tests.places import CLAIMS, Place, of
from harness.tests.wire.servers import HOST, Handler, Server, Stream, request_of, server_context
from harness.writers import answer


@pytest.fixture
def place(lab: ReferenceLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(lab, tmp_path)
    monkeypatch.setenv("HOPPROOF_TEST_TOKEN", place.token())
    return place


CAPTURED: dict[str, Any] = {"captured": {"env": "HOPPROOF_TEST_TOKEN"}}


def words(run: Run) -> str:
    return answer.headline(run.header(), run.rows, run.footer()).words


def test_with_every_key_a_right_server_conforms(place: Place) -> None:
    run = place.run(place.file(Posture.JWT, tokens=place.signing))
    assert (run.status, run.answer, run.not_shown) == (0, Answer.CONFORMS, [])
    assert words(run) == "conforms"


@pytest.mark.parametrize(
    ("only", "status", "said"),
    [
        ("JWT-13-NONE", 0, "the selected cases conform"),
        ("JWT-13-*", 3, "not shown"),
        ("*/exp-past", 3, "not shown"),
    ],
)
def test_a_selection_is_asked_for_what_it_holds(place: Place, only: str, status: int, said: str) -> None:
    run = place.run(place.file(Posture.JWT, tokens=CAPTURED), only=(only,))
    assert (run.status, words(run), run.trouble) == (status, said, [])


def test_a_core_case_that_is_skipped_is_not_shown(place: Place) -> None:
    file = place.file(Posture.JWT, tokens=place.signing)
    run = place.run(file, skip=(Skip("*/exp-past", "takes too long"),))
    assert (run.status, run.answer) == (3, Answer.NOT_SHOWN)
    (gap,) = run.not_shown
    assert (gap.missing, gap.why) == (("exp-past",), "takes too long")


def test_known_failures_do_not_hide_what_was_not_seen(place: Place, tmp_path: Path) -> None:
    known = tmp_path / "expected.yaml"
    rows = [{"case": "tokens/*", "outcome": "UNOBSERVED", "reason": "we have no key"}]
    known.write_text(json.dumps({"expected": rows}), "utf-8")
    run = place.run(place.file(Posture.JWT, tokens=CAPTURED), expected=str(known), only=("*/exp-past",))
    assert (run.status, run.answer) == (3, Answer.NOT_SHOWN)


def test_a_failure_is_proven_whatever_else_is_not_shown(place: Place) -> None:
    run = place.run(place.file(Posture.JWT, "accepts-alg-none", tokens=CAPTURED))
    assert (run.status, run.answer) == (1, Answer.DOES_NOT_CONFORM)
    assert [gap.missing for gap in run.not_shown] == [("exp-past",)]


# A server that only redirects, or limits the rate


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment")
    pki = Pki.create(reference().pki)
    pki.write(folder)
    (folder / "secrets" / "signing.key").write_bytes(key_pem(pki.signing_key))
    return folder / "secrets"


def says(status: int) -> Handler:
    def handle(stream: Stream) -> None:
        if request_of(stream):
            stream.sendall(f"HTTP/1.1 {status} Said\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n".encode())

    return handle


@pytest.fixture
def judged(secrets: Path, tmp_path: Path) -> Callable[[int, dict[str, Any]], Run]:
    def run(status: int, tokens: dict[str, Any]) -> Run:
        with Server(says(status), server_context(secrets / "portal-admin")) as server:
            service = {
                "url": f"https://{HOST}:{server.port}/orders",
                "connect": f"127.0.0.1:{server.port}",
                "ca": str(secrets / "portal-admin" / "ca.crt"),
                "posture": "jwt",
            }
            data = {"product": {"name": "a"}, "environment": "lab", "rate": 1000, "servers": {"service": service}}
            file = tmp_path / "target.yaml"
            file.write_text(json.dumps({**data, "tokens": tokens}), "utf-8")
            found = Run(Options(target=str(file), report=tmp_path / "report", seed=1))
            found.start(found.cases)
            found.finish()
        return found

    return run


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize(("status", "give"), [(302, "only redirects"), (429, "rate")])
def test_a_server_that_refuses_no_client_shows_nothing(
    judged: Callable[..., Run], secrets: Path, status: int, give: str, good: bool
) -> None:
    signing = {"signing_key": str(secrets / "signing.key"), "claims": CLAIMS}
    run = judged(status, signing if good else {"none": True})
    assert (run.status, run.answer) == (3, Answer.NOT_SHOWN)
    assert of(run, "PASS") <= {"t-plaintext"} and of(run, "HARNESS_ERROR") == of(run, "FAIL") == set()
    assert give in run.not_shown[0].give


# A passthrough, as declared and as seen


def passthrough(lab: ReferenceLab, place: Place, fault: str, **compared: str) -> Run:
    entrypoints = lab.open([Setup("portal", Posture.JWT, FlowPath.PASSTHROUGH, fault)])
    (front,) = entrypoints.values()
    assert isinstance(front, Entrypoint)
    server = {"path": "passthrough", "connect": f"127.0.0.1:{front.address.port}", **compared}
    if server.get("origin"):
        (itself,) = lab.open([Setup("portal", Posture.JWT, FlowPath.DIRECT)]).values()
        assert isinstance(itself, Entrypoint)
        server["origin"] = f"127.0.0.1:{itself.address.port}"
    file = place.file(Posture.JWT, tokens=place.signing, server=server)
    return place.run(file, only=("FLW-5*",))


def seen(run: Run) -> tuple[list[str], list[str]]:
    message = [row["outcome"] for row in run.rows if row["requirement"] == "FLW-5-CERTIFICATE"]
    (cell,) = (cell for cells in run.footer()["protection"].values() for cell in cells.values())
    assert cell["path_as_declared"]
    return message, cell["clear_text_at"]


def test_a_passthrough_that_ends_tls_is_believed_only_where_nothing_else_is_given(
    lab: ReferenceLab, place: Place
) -> None:
    run = passthrough(lab, place, "passthrough-terminates")
    assert seen(run) == ([], []) and run.status == 0
    withheld = {item.reason for item in run._withheld if "FLW-5-CERTIFICATE" in item.case.id}
    (reason,) = (text for text in withheld if "declared by the file" in text)
    assert "servers.portal.origin" in reason


def test_a_passthrough_that_ends_tls_is_seen_beside_the_server(lab: ReferenceLab, place: Place) -> None:
    run = passthrough(lab, place, "passthrough-terminates", origin="yes")
    assert seen(run) == (["FAIL"], ["the declared passthrough"]) and run.status == 1


def test_a_passthrough_that_ends_tls_is_seen_by_the_digest(lab: ReferenceLab, place: Place) -> None:
    run = passthrough(lab, place, "passthrough-terminates", certificate_sha256="ab" * 32)
    assert seen(run) == (["FAIL"], ["the declared passthrough"]) and run.status == 1


def test_a_passthrough_that_is_one(lab: ReferenceLab, place: Place) -> None:
    run = passthrough(lab, place, "", origin="yes")
    assert seen(run) == (["PASS"], []) and run.status == 0
