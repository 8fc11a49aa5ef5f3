"""Which credentials were verified side by side: told from pairs of requests that differ in one."""

from __future__ import annotations

import pytest

from harness.model.record import Row
from harness.tests.builders import row
from harness.writers.combined import verified


def rows(expected: str, *stimuli: str) -> list[Row]:
    return [row(f"apk/R/f/jwt/direct/{name}", stimulus=name, expected=expected) for name in stimuli]


NONE, BAD = "tls-no-cert", "ta-unknown-ca"
NO_TOKEN, FORGED = "str-no-token", "sig-wrong-key"


@pytest.mark.parametrize(
    ("served", "refused", "words"),
    [
        (("good",), (NONE, BAD, NO_TOKEN, FORGED), ["certificate", "JWT"]),
        (("good", NO_TOKEN, FORGED), (NONE, BAD), ["certificate"]),
        (("good", NONE), (BAD, FORGED), ["certificate (where one is sent)", "JWT"]),
        (("good", NONE, NO_TOKEN), (BAD, f"{NONE}+{FORGED}"), ["certificate or JWT"]),
        (("good", NONE, BAD), (FORGED,), ["JWT"]),
        (("good",), ("header-default-name",), ["certificate"]),
        (("good", NONE, NO_TOKEN), (), []),
        ((), (NONE, FORGED), []),
        # Both are bad: either may be why.
        (("good",), (f"{BAD}+{FORGED}",), []),
    ],
)
def test_words(served: tuple[str, ...], refused: tuple[str, ...], words: list[str]) -> None:
    assert verified([*rows("served", *served), *rows("unauthenticated", *refused)], []) == words


def test_what_got_in_is_not_verified() -> None:
    passed = [*rows("served", "good"), *rows("unauthenticated", BAD, NO_TOKEN)]
    assert verified(passed, rows("unauthenticated", NONE)) == ["JWT"]
    assert verified(passed, rows("unauthenticated", FORGED)) == ["certificate"]


def test_a_header_that_got_in_forged_says_that_certificates_are_not_verified() -> None:
    passed = [*rows("served", "good", NO_TOKEN, NONE), *rows("unauthenticated", BAD, f"{NONE}+{FORGED}")]
    assert verified(passed, rows("unauthenticated", f"{NO_TOKEN}+header-forged")) == ["JWT"]
