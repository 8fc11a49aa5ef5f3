"""Whether another way to a protected resource needs no credential."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.outside import not_the_server
from harness.checks.question import Question, note, unobserved, violation, wrong_reason
from harness.model.observations import Answer, Ways
from harness.model.verdict import Finding
from harness.model.vocabulary import Reason

_TELLING_CHARACTERS = 32
"""Two different pages may both say "ok"; a body of so many characters is one page."""
_OTHERS = frozenset({"id-unregistered-dn", "ta-unknown-ca"})
# What may come from behind the protection: a handler that wants another body, or failed (RFC 9110 sections 15.5, 15.6).
_FROM_WITHIN = frozenset({409, 415, 422, 500})


def not_let_in(question: Question) -> list[Finding]:
    """Without a credential the request must not be served, whichever way it comes.

    An answer that everybody gets for everything, whatever is asked for in that way, is not the protected one.
    """
    ways: Ways = question.exchange.extra["ways"]
    if (usual := ways.get("usual")) and usual["served"]:
        return [unobserved("let-in-anyway", "the request is served without a credential even without a bypass")]
    findings = [finding for one in ways["tries"] if one["served"] for finding in _answered(question, one, ways)]
    if question.exchange.effect:
        findings.append(violation("acted-upon", f"{_how(ways)}: acted upon, {question.case.flow.effect}"))
    return findings or [*_closed(question, ways), *_refused(question, ways)]


def _answered(question: Question, one: Answer, ways: Ways) -> Iterator[Finding]:
    """What a success means: the protected resource, another page, or the server's own word on methods."""
    message = f"answered {one['status']} {_presented(question)}, {one['how']}"
    good, aside = ways.get("good"), one.get("aside")
    same = good is not None and good["body_sha256"] == one["body_sha256"] and bool(one["body_characters"])
    if one["how"] == "OPTIONS" and not same:
        yield from _options(one, good, message)
    elif aside is None or not aside["served"] or aside["body_sha256"] != one["body_sha256"]:
        yield violation("accepted", message)
    elif one["judged_elsewhere"]:
        yield note("as-elsewhere", f"{message}; {aside['how']} the response is the same, which another row judges")
    elif same and one["body_characters"] >= _TELLING_CHARACTERS:
        yield violation("accepted", f"{message}: the protected response, word for word")
    elif same or not one["body_characters"]:
        yield unobserved(
            "same-for-all", f"{message}; {aside['how']} the response is the same, so it may come from another site"
        )
    else:
        yield note(
            "open-elsewhere",
            f"{message}; {aside['how']} the response is the same, and differs from the protected response",
        )


def _presented(question: Question) -> str:
    """In words, what stands in the place of a good credential."""
    certificate = question.case.stimulus.certificate
    return f"with the certificate {certificate}" if certificate in _OTHERS else "without a credential"


def _options(one: Answer, good: Answer | None, how: str) -> Iterator[Finding]:
    """OPTIONS lists what is possible (RFC 9110 section 9.3.7), which is public."""
    if one["allow"] or one["body_characters"] or (good is not None and good["body_characters"]):
        yield note("options-told", f"{how}: not the protected response")
    else:
        yield unobserved("options-empty", f"{how}, with an empty body, like the protected response")


def _closed(question: Question, ways: Ways) -> Iterator[Finding]:
    if closed := ways.get("closed"):
        yield unobserved("way-closed", closed)


def _refused(question: Question, ways: Ways) -> Iterator[Finding]:
    client, status = question.client, question.status
    if client.fault or client.timed_out or client.server_refused:
        text = client.fault or client.server_refused or "neither served nor refused before the deadline"
        yield unobserved("network", f"{_how(ways)}: {text}")
    yield from not_the_server(question) if (status or 0) >= 400 else ()
    for one in ways["tries"]:
        if not question.both_sides and one["status"] in _FROM_WITHIN:
            yield unobserved(
                "from-within", f"{one['how']}: answered {one['status']}, which may be the service's own behaviour"
            )
    if client.alert == "protocol_version":
        yield note("not-offered", f"{_how(ways)}: the server does not support it, with or without a credential")
    yield from _for_the_reason(question)


def _for_the_reason(question: Question) -> Iterator[Finding]:
    reason = question.server_reason
    acceptable_reasons = question.acceptable_reasons("certificate", "token")
    if question.both_sides and not reason:
        yield unobserved("server-silent", "refused, but the server gave no reason for this connection")
    elif reason and Reason(reason) not in acceptable_reasons:
        yield wrong_reason(
            "other-reason", f"the server reports {reason}, expected {' or '.join(sorted(acceptable_reasons))}"
        )


def _how(ways: Ways) -> str:
    return str(ways["tries"][-1]["how"])
