"""What a requirement or a case means, in words: text, source, why it matters, what is sent, what must happen."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.catalogue import Catalogue, expand
from harness.catalogue.combinations import modes_in_words
from harness.catalogue.registry import FAULTS
from harness.checks import CHECKS
from harness.errors import UsageError
from harness.model.case import GOOD, Case, Stimulus
from harness.model.catalogue import Requirement
from harness.model.vocabulary import CertificateEncoding, Path, Posture
from harness.model.words import counted
from harness.probes.intrusiveness import intrusiveness
from harness.products.registry import product

_POSTURES: Mapping[Posture, str] = {
    Posture.DEFAULT: "nothing set",
    Posture.MTLS: "mtlsValidateClient: true",
    Posture.JWT: "mtlsValidateClient: false and a jwksUrl",
    Posture.BOTH: "mtlsValidateClient: true and a jwksUrl",
    Posture.TLS_ONLY: "mtlsValidateClient: false and no jwksUrl",
}
_ELSEWHERE: Mapping[Posture, str] = {
    Posture.DEFAULT: "in its default configuration",
    Posture.MTLS: "it requires a client certificate",
    Posture.JWT: "it requires a JWT",
    Posture.BOTH: "it requires a client certificate and a JWT",
    Posture.TLS_ONLY: "it does not authenticate clients",
}
"""The same in words that fit any server."""
_PATHS: Mapping[Path, str] = {
    Path.DIRECT: "nothing between client and server",
    Path.PASSTHROUGH: "a balancer that passes TLS through",
    Path.TERMINATING: "a balancer that terminates TLS with its own certificate, and can read the payload",
}


def words() -> Mapping[str, Mapping[str, str]]:
    """What each posture, path and expectation means, by kind and name."""
    return {
        "posture": {str(name): text for name, text in _POSTURES.items()},
        "posture elsewhere": {str(name): text for name, text in _ELSEWHERE.items()},
        "path": {str(name): text for name, text in _PATHS.items()},
        "expected": {name: check.summary for name, check in CHECKS.items()},
    }


@dataclass(frozen=True)
class Here:
    """A target of a user's own, as far as an explanation needs it: its name, and why a case does not apply to it."""

    target: str
    withhold: Callable[[Case], str]


def explain(catalogue: Catalogue, identifier: str, here: Here | None = None) -> str:
    """The explanation of a requirement or case id, for one target or (None) as the documents have it.

    Raises :class:`UsageError` for an unknown one.
    """
    for row in catalogue.requirements:
        if identifier in (row.id, f"{row.area}/{row.id}"):
            return "\n".join(_requirement(catalogue, row))
    cases, withheld = expand(catalogue, catalogue.features)
    requested = identifier.replace("__", "/")
    for case in cases:
        if case.id == requested:
            return "\n".join(_case(catalogue, case, here))
    for item in withheld:
        if item.case.id == requested:
            return f"{item.case.id}\n  withheld: {item.reason}"
    hint = "see hopproof list requirements and hopproof list cases"
    if here is not None:
        hint = f"hopproof run --target {shlex.quote(here.target)} --depth full --dry-run lists its cases"
    if here is None and "/client-to-" in requested:
        hint = "name the target file it is about: hopproof explain ID --target FILE"
    raise UsageError(f"no requirement or case {identifier!r}", where=here.target if here else "", hint=hint)


def _requirement(catalogue: Catalogue, row: Requirement) -> Iterator[str]:
    cases = [case for case in expand(catalogue, catalogue.features)[0] if case.requirement is row]
    yield f"{row.id} ({row.level}, {row.area})"
    yield f"  {row.text}"
    yield f"  why it matters: {row.why}"
    yield f"  source: {row.source} (basis: {row.basis})"
    if row.note:
        yield f"  note: {row.note}"
    if row.profile:
        yield f"  holds in the profile {row.profile} (--profile)"
    if row.needs:
        yield f"  only where the target has: {', '.join(row.needs)}"
    yield f"  {counted(len(cases), 'case')}; what must happen:"
    for expected in dict.fromkeys(case.expected for case in cases):
        members = [case for case in cases if case.expected == expected]
        stimuli = ", ".join(dict.fromkeys(case.stimulus.id for case in members))
        yield f"    {len(members)} x {CHECKS[expected].summary}"
        yield f"        presented: {stimuli}"
    yield from _faults(row.faults)


def _case(catalogue: Catalogue, case: Case, here: Here | None) -> Iterator[str]:
    row = case.requirement
    yield case.id
    yield f"  {row.id} ({row.level}): {row.text}"
    yield f"  why it matters: {row.why}"
    yield f"  source: {row.source} (basis: {row.basis})"
    yield from (["  input: exported files; nothing is sent"] if case.reads_files else _request(catalogue, case, here))
    yield f"  what must happen: {CHECKS[case.expected].summary}"
    for number, step in enumerate(case.params.script, start=1):
        yield f"    {number:2}. {step}"
    yield from _reasons(catalogue, case.stimulus)
    yield from _faults(row.faults)
    if here and (why := here.withhold(case)):
        yield f"  withheld from this target: {why}"
        return
    at = ["--target", here.target] if here else []
    yield f"  run it alone: {shlex.join(['hopproof', 'run', *at, '--only', case.id])}"


def _request(catalogue: Catalogue, case: Case, here: Here | None) -> Iterator[str]:
    """Where *case* sends what, and what effect that has on the server."""
    yield f"  flow: {case.flow.name}, which ends at {_where(case, here)}"
    yield f"  {_authentication(case, here)}"
    yield f"  path {case.path}: {_PATHS[case.path]}"
    if case.params.variant:
        yield f"  set up as: {case.params.variant}"
    yield "  what is sent:"
    for line in sent(catalogue, case):
        yield f"    {line}"
    if header := case.flow.server.certificate_header:
        encoding = case.flow.server.certificate_encoding
        as_it_is = "" if encoding is CertificateEncoding.PEM else f" as {encoding}"
        yield f"    header: {header} carries the client's certificate{as_it_is}; it is set by {_who_sets(case)}"
    yield f"  effect on the server: {intrusiveness(case)} (a read-only run withholds writes and stress)"


def sent(catalogue: Catalogue, case: Case) -> Iterator[str]:
    """What the client of *case* presents: its certificate and token, and how it sends them."""
    stimulus = case.stimulus
    for kind, name in (
        ("certificate", stimulus.certificate),
        ("token", stimulus.token),
        ("transport", stimulus.transport),
    ):
        if kind == "token" and case.params.script:
            continue  # the steps of the script say which tokens are sent
        if name != GOOD:
            yield f"{kind}: {name} - {catalogue.classes[name].summary}"
        elif kind != "transport":
            yield f"{kind}: as the real client does ({kind} good)"


def _reasons(catalogue: Catalogue, stimulus: Stimulus) -> Iterator[str]:
    names = [name for name in (stimulus.certificate, stimulus.token, stimulus.transport) if name != GOOD]
    reasons = sorted({str(reason) for name in names for reason in catalogue.classes[name].acceptable_reasons})
    if reasons:
        yield f"  acceptable reasons to reject: {', '.join(reasons)}"


def _who_sets(case: Case) -> str:
    """Who sets the header with the client's certificate."""
    balanced = case.path is Path.TERMINATING or case.flow.server.certificate_in_handshake
    return "the TLS terminator" if balanced else "the client, in place of a balancer"


def _authentication(case: Case, here: Here | None) -> str:
    """How the server authenticates its clients."""
    if modes := modes_in_words(case.flow):
        return f"client authentication: {modes}"
    switched = here is None and product(case.flow.server.product).switched
    return f"posture {case.posture}: {(_POSTURES if switched else _ELSEWHERE)[case.posture]}"


def _where(case: Case, here: Here | None) -> str:
    server = case.flow.server
    return f"servers.{server.name} of {here.target}" if here else f"the {server.endpoint}"


def _faults(names: Iterable[str]) -> Iterator[str]:
    yield "  faults that break it:"
    for name in names:
        yield f"    {name}: {FAULTS[name].summary}"
