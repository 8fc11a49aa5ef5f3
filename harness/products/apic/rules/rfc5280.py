"""General departures from RFC 5280's profile, by pkilint where it is installed: warnings and notes of PKI-16."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cryptography import x509

from harness.decode.exported_certificates import Held
from harness.model.finding import Severity
from harness.pki.rfc5280 import Departure, Profile, available
from harness.products.apic.rules.trust import held_place
from harness.products.rules import Log

MOST = 500
"""Certificates that are looked at: pkilint takes 2 to 8 ms for one."""
_NAMED = 5
MISSING = "pkilint is not installed, so departures from RFC 5280's profile are not reported; pip install pkilint"
CUT_SHORT = f"pkilint looked at the first {MOST} certificates only; OpenSSL judged all of them"


def profile(judged: Iterable[Held], log: Log) -> None:
    """Report where the certificates of *judged* depart from the profile."""
    distinct: dict[x509.Certificate, Held] = {}
    for held in judged:
        distinct.setdefault(held.certificate, held)
    if not distinct:
        return
    if not available():
        log.remark(MISSING)
        return
    if len(distinct) > MOST:
        log.remark(CUT_SHORT)
    lint, notes = Profile(), defaultdict[Departure, list[Held]](list)
    for certificate, held in list(distinct.items())[:MOST]:
        for found in lint.departures(certificate):
            if found.severity is Severity.WARNING:
                text = f"{held.name} departs from RFC 5280: {found.message} ({found.code})."
                log.warning(held_place(held), text, "reissue it with that corrected")
            else:
                notes[found].append(held)
    for found, places in notes.items():
        _note(found, places, log)


def _note(found: Departure, places: list[Held], log: Log) -> None:
    """One note, however many certificates it is about."""
    names = list(dict.fromkeys(held.name for held in places))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    text = f"A departure from RFC 5280 that the verifiers in use accept: {found.message} ({found.code})."
    log.note(held_place(places[0]), f"{text} It is in {', '.join(names[:_NAMED])}{more}.", "no action is needed")
