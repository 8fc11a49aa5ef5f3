"""Which credentials a server was seen to verify that takes several side by side.  Reported, not judged.

There a refusal does not say which credential it was for; a pair of requests that differ in one does.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.catalogue.registry import STIMULUS_CLASSES
from harness.model.case import GOOD
from harness.model.record import Row
from harness.probes.certificate_header import BY_HOLDER, HEADERS
from harness.stimuli.registry import Family

_EITHER = "unauthenticated"
_SERVED = "served"
_NO_CERTIFICATE, _NO_TOKEN = "tls-no-cert", "str-no-token"
_Pair = tuple[str, str]


def verified(passed: Iterable[Row], let_in: Iterable[Row]) -> list[str]:
    """The credentials in words, from the rows that *passed*; none of those that *let_in* says were not looked at."""
    refused, served = set[_Pair](), set[_Pair]()
    for row in passed:
        if (pair := _presented(row)) is not None:
            (refused if row["expected"] == _EITHER else served if row["expected"] == _SERVED else set()).add(pair)
    wrongly = {pair for row in let_in if (pair := _presented(row)) is not None}
    certificate = _differs(refused, served, wrongly, 0)
    token = _differs(refused, served, wrongly, 1)
    without_certificate = any(pair[0] == _NO_CERTIFICATE for pair in served)
    without_token = any(pair[1] == _NO_TOKEN for pair in served)
    if certificate and token and without_certificate and without_token:
        return ["certificate or JWT"]
    words = "certificate (where one is sent)" if without_certificate else "certificate"
    return [*([words] if certificate else []), *(["JWT"] if token else [])]


def _presented(row: Row) -> _Pair | None:
    """The classes of certificate and token of *row*; None where it is about something else as well."""
    certificate = token = GOOD
    for name in str(row["stimulus"]).split("+"):
        if name == GOOD:
            continue
        family = STIMULUS_CLASSES[name].family if name in STIMULUS_CLASSES else Family.TRANSPORT
        if family is Family.CERTIFICATE or (name in HEADERS and name not in BY_HOLDER):
            certificate = name
        elif family is Family.TOKEN:
            token = name
        else:
            return None
    return certificate, token


def _differs(refused: set[_Pair], served: set[_Pair], wrongly: set[_Pair], place: int) -> bool:
    """Whether one was refused and one served that differ in that *place* alone, and none got in for its lack."""
    other = 1 - place
    right = {pair[other] for pair in served if pair[place] == GOOD}

    def differ(pairs: set[_Pair]) -> bool:
        return any(pair[place] != GOOD and pair[other] in right for pair in pairs)

    return differ(refused) and not differ(wrongly)
