"""The look before a run, and the nearer twins, against answers that are made up here."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from itertools import repeat
from pathlib import Path

import pytest

from harness.catalogue.registry import catalogue
from harness.errors import CannotJudge, LabError
from harness.lab.protocol import Entrypoint
from harness.model.case import Case, Setup, Stimulus
from harness.model.exchange import ClientView, Response
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.pki.deployment import Pki
from harness.probes.live import Bench
from harness.products.registry import reference
from harness.stimuli.partial import (
    ClientCredential,
    PartialPki,
    PartialStimuli,
    ServiceTokenIssuer,
    StimulusUnavailable,
)
from harness.targets import file as target_file
from harness.targets.external import ExternalLab, address_of
from harness.targets.preflight import Preflight
from harness.wire.handshake import Handshake
from harness.wire.send import Address, Prepared

NAME = "portal-admin-client"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


class World:
    """A target whose server answers with the given statuses, one after the other."""

    def __init__(self, pki: Pki, folder: Path, *answers: int, skew: float = 0.0) -> None:
        pki.write(folder / "d")
        self.ca = folder / "d" / "secrets" / "portal-admin" / "ca.crt"
        server = {"url": "https://a.test", "ca": str(self.ca), "posture": "mtls", "flows": ["management-to-portal"]}
        data = {"product": {"name": "a"}, "environment": "lab", "servers": {"portal": server}}
        self.file = target_file.parse(data, folder / "t.yaml")
        self.pki = PartialPki({NAME: ClientCredential(NAME, pki.secrets[NAME], pki.issuer(NAME))})
        stimuli = PartialStimuli(self.pki, ServiceTokenIssuer(pki.signing_key, {}, None, 300), folder / "c")
        self._answers: Iterator[int] = iter(answers)
        self.bodies: Iterator[str] = repeat("")
        self._date = formatdate(pki.now.timestamp() + skew, usegmt=True)
        self.lab = ExternalLab(self.file)
        self.bench = Bench(self.lab, stimuli, 1, send=self.send, twins={})
        self.shown = Handshake(connected=True, established=True, asked=True)
        self.speaks = "http/1.1"
        self.preflight = Preflight(
            self.bench,
            stimuli,
            self.file,
            self.pki,
            shown=lambda _address: self.shown,
            chosen=lambda _address, _context: self.speaks,
        )
        self.flow = catalogue().flows["management-to-portal"]

    def send(self, address: Address, request: Prepared, context: ssl.SSLContext | None) -> ClientView:
        status = next(self._answers)
        answer = Response(status, (("date", self._date),), next(self.bodies))
        return ClientView(1, address.port, established=True, response=answer)

    def attempt(self, certificate: str) -> dict[str, object]:
        row = next(row for row in catalogue().requirements if row.id == "PKI-16-CA")
        case = Case(row, self.flow, Posture.MTLS, FlowPath.DIRECT, Stimulus(certificate), "certificate-refused")
        endpoint = self.file.endpoints["portal"]
        entrypoint = Entrypoint(Setup("portal", Posture.MTLS, FlowPath.DIRECT), address_of(endpoint), endpoint.ca)
        return dict(self.bench.attempt(case, entrypoint).extra)


def test_a_target_that_can_be_judged(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 201, 400, 400, 201)
    world.preflight.run([world.flow])
    assert world.pki.issuer(NAME).key is not None


@pytest.mark.parametrize(("speaks", "notes"), [("h2", 1), ("http/1.1", 0), ("", 0)])
def test_that_http2_is_not_judged_is_said(pki: Pki, tmp_path: Path, speaks: str, notes: int) -> None:
    world = World(pki, tmp_path, 201, 400, 400, 201)
    world.speaks = speaks
    world.preflight.run([world.flow])
    assert len([note for note in world.bench.notes if "HTTP/2, which is not judged" in note]) == notes


def test_one_that_answers_all_alike(pki: Pki, tmp_path: Path) -> None:
    # Good, nobody, a stranger, and then the copy of the good one.
    world = World(pki, tmp_path, 201, 201, 201, 201)
    world.preflight.run([world.flow])
    message = world.bench.everybody["management-to-portal"]
    assert message == (
        "a.test answers 201 to a good client, one without any credential and one with an untrusted credential alike"
    )


def test_one_that_may_refuse_in_the_body_alone(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 201, 201, 201, 201)
    world.bodies = iter(["{}", *['{"error": "no"}'] * 2, "{}"])
    world.preflight.run([world.flow])
    assert "describe it under dialect.refusal" in world.bench.everybody["management-to-portal"]


@pytest.mark.parametrize("answers", [(201, 201, 403, 201), (201, 403, 201, 201), (201, 302, 302, 201)])
def test_one_that_refuses_some_client_is_not_open_to_all(pki: Pki, tmp_path: Path, answers: tuple[int, ...]) -> None:
    world = World(pki, tmp_path, *answers)
    world.preflight.run([world.flow])
    assert not world.bench.everybody


def test_one_that_redirects_all_alike_accepts_no_client(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 302, 302, 302, 302)
    world.preflight.run([replace(world.flow, success=302)])
    assert not world.bench.everybody


def test_an_endpoint_without_authentication_may(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 201, 201)
    world.shown = Handshake(connected=True, established=True)
    open_server = replace(world.flow.server, default=Posture.TLS_ONLY)
    world.preflight.run([replace(world.flow, server=open_server)])
    assert world.pki.issuer(NAME).key is not None


def test_one_that_does_not_serve_the_good(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 403, 403)
    with pytest.raises(CannotJudge, match="answered 403, not 201") as caught:
        world.preflight.run([world.flow])
    assert "PUT /" in caught.value.what and "the certificate of CN=portal-admin-client" in caught.value.what
    assert "subject" in caught.value.hint


@pytest.mark.parametrize("skew", [-120.0, 120.0])
def test_one_whose_clock_is_off(pki: Pki, tmp_path: Path, skew: float) -> None:
    world = World(pki, tmp_path, 201, 400, 400, 201, skew=skew)
    with pytest.raises(LabError, match="clock"):
        world.preflight.run([world.flow])


def test_what_our_copy_of_the_ca_signs_must_be_served(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 201, 400, 400, 400)
    world.preflight.run([world.flow])
    with pytest.raises(StimulusUnavailable, match="fresh copy"):
        assert world.pki.issuer(NAME).key


def test_a_nearer_twin_that_is_refused_too(pki: Pki, tmp_path: Path) -> None:
    # The bad one, then its twin, which is asked for once only.
    world = World(pki, tmp_path, 400, 400, 400)
    assert "via-intermediate is not served either" in str(world.attempt("ca-false")["twin_refused"])
    assert "via-intermediate is not served either" in str(world.attempt("ca-no-bc")["twin_refused"])


def test_a_nearer_twin_that_is_served(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 400, 201)
    assert "twin_refused" not in world.attempt("ca-false")


def test_the_good_request_is_the_twin_of_most(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path, 400)
    assert "twin_refused" not in world.attempt("v-expired-leaf")


def test_only_the_file_s_doors_open(pki: Pki, tmp_path: Path) -> None:
    world = World(pki, tmp_path)
    with pytest.raises(LabError, match="has no"):
        world.lab.entrypoint(Setup("portal", Posture.MTLS, FlowPath.TERMINATING))
    with pytest.raises(LabError, match="has no"):
        world.lab.entrypoint(Setup("analytics", Posture.MTLS, FlowPath.DIRECT))
