"""Judges mutated exports with lint, certs, renew and plan: none may raise, hang or print a key.

    python -m tools.fuzz_files [--cases 100000] [--seed 1] [--seconds 20] [--first N] [--keep FOLDER]

The corpus is fixtures/exports, a deployment with its Secrets, and PEM files.  Seed and number say where a case is
damaged; the certificates have keys of their own in each run, so ``--keep FOLDER`` leaves what went wrong.
"""

from __future__ import annotations

import argparse
import base64
import logging
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import yaml

from harness.decode.exported_certificates import collect
from harness.decode.manifests import read
from harness.errors import UsageError
from harness.model.finding import Severity
from harness.model.resource import Files
from harness.model.runbook import Runbook
from harness.products.apic import exported_secrets
from harness.products.registry import file_rules
from harness.products.rules import PLATFORMS, Question
from harness.writers import file_findings, runbook
from tools.time_limit import time_limit

CORPUS = Path(__file__).resolve().parents[1] / "fixtures" / "exports"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
KEY = "c2Vjcm+V0LWtl+eS1vZi+10aGUt/Y29y+cHVz"
"""What every Secret of the corpus has for a key."""
_CAS = ("ingress-ca", "management-ca", "portal-ca", "analytics-ca")
_FLOWS = ("management-to-portal", "management-to-analytics", "management-to-api-gateway", "api-gateway-to-analytics")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)
_VALUES = (
    b"null", b"true", b"[]", b"{}", b"{a: {b: [c]}}", b"[[[[]]]]", b"-1", b"1e999", b"''", b'"\\ud800"', b"~", b"<<",
    b"&a [*a]", b"*nowhere", b"!!binary x", b"!!python/object x", b"|", b"> x", b"2026-11-26", b"0x1F", b"\xef\xbb\xbf",
    b"\xff\xfe", b"CN=", b"CN=a,CN=b", b"https://[::1", b"https://a:99999/", b"https://\xf0\x9f\x98\x80/", b"a\tb",
    b"99999999999999h", b"1h1h", b"$STACK", b"<x>", b"{{ x }}", b"*." * 200, b"A" * 5000, b"10.0.8.1.1.1.1",
    b"999999.0",
)  # fmt: skip


@cache
def corpus() -> tuple[bytes, ...]:
    """The exports that are mutated."""
    files = [file.read_bytes() for file in sorted(CORPUS.rglob("*.yaml")) + sorted(CORPUS.rglob("*.json"))]
    return (*files, *[_with_keys(exported_secrets.sound(NOW)), *map(_pem, (exported_secrets.sound(NOW),))] * 8)


def _with_keys(text: bytes) -> bytes:
    documents = list(yaml.safe_load_all(text))
    for item in documents:
        if item["kind"] == "Secret":
            item["data"]["tls.key"] = KEY
    return yaml.safe_dump_all(documents, sort_keys=False, width=10**6).encode()


def _pem(text: bytes) -> bytes:
    """The certificates of an export as one PEM file."""
    secrets = (item for item in yaml.safe_load_all(text) if item["kind"] == "Secret")
    return b"".join(base64.b64decode(item["data"]["tls.crt"]) for item in secrets)


def mutated(original: bytes, generator: random.Random) -> bytes:
    """*original* with some damage."""
    data = original
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        if data:
            data = generator.choice(_MUTATIONS)(data, generator)
    return data


def _flip(data: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << generator.randrange(8)]) + data[at + 1 :]


def _lines(data: bytes, generator: random.Random) -> bytes:
    """A line is lost, said twice, moved, or indented."""
    lines = data.split(b"\n")
    at, other = generator.randrange(len(lines)), generator.randrange(len(lines))
    change = generator.randrange(4)
    if change == 0:
        del lines[at]
    elif change == 1:
        lines.insert(other, lines[at])
    elif change == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = b"  " * generator.randrange(1, 40) + lines[at]
    return b"\n".join(lines)


def _value(data: bytes, generator: random.Random) -> bytes:
    """Another value behind some key."""
    places = [match.end() for match in re.finditer(rb"[:,\[] ", data)]
    if not places:
        return data
    at = generator.choice(places)
    end = re.compile(rb"[,}\]\n]").search(data, at)
    return data[:at] + generator.choice(_VALUES) + data[end.start() if end else len(data) :]


def _word(data: bytes, generator: random.Random) -> bytes:
    """One word of the file in the place of another."""
    words = [match.span() for match in re.finditer(rb"[\w.*-]{2,60}", data)]
    if not words:
        return data
    (start, end), (first, last) = generator.choice(words), generator.choice(words)
    return data[:start] + data[first:last] + data[end:]


def _cut(data: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(data))
    return data[:at] + data[at + generator.choice((1, 7, 90, 3000)) :]


def _twice(data: bytes, generator: random.Random) -> bytes:
    """The documents, or a part of the file, twice."""
    at = generator.randrange(len(data))
    return data + b"\n---\n" + data if generator.random() < 0.5 else data[:at] + data[:at]


def _certificate(data: bytes, generator: random.Random) -> bytes:
    """A certificate with some octets changed inside its DER, in PEM or in a Secret."""
    places = [match.span() for match in re.finditer(rb"[A-Za-z0-9+/=]{300,}", data)] or [
        match.span(1) for match in _PEM.finditer(data)
    ]
    if not places:
        return data
    start, end = generator.choice(places)
    try:
        inner = base64.b64decode(data[start:end])
        pem = _PEM.search(inner)
        der = bytearray(base64.b64decode(pem[1] if pem else data[start:end]))
    except ValueError:
        return data
    for _ in range(generator.choice((1, 1, 2, 5))):
        if der:
            der[generator.randrange(len(der))] = generator.choice(
                (0, 1, 0x30, 0x7F, 0x80, 0xFF, generator.randrange(256))
            )
    body = base64.encodebytes(bytes(der))
    if not pem:
        return data[:start] + body + data[end:]
    whole = b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
    return data[:start] + base64.b64encode(whole) + data[end:]


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _lines, _value, _value, _word, _word, _cut, _twice, _certificate,
)  # fmt: skip


def look(data: bytes, generator: random.Random) -> str:
    """Everything that the verbs on files print of *data*."""
    files = Files([], [], [], 1)
    if data.lstrip().startswith(b"-----BEGIN"):
        files.pem.append(("export.pem", 1, data))
    else:
        files.resources, files.unread = read(data, "export.yaml")
    certificates = collect(files)
    release, platform = generator.choice(("", "", "10.0.5.2", "12.1")), generator.choice(("", "", *PLATFORMS))
    question = Question(files, certificates, NOW, release, platform)
    return "\n".join(_printed(question, data.decode("utf-8", "replace"), generator))


def _printed(question: Question, text: str, generator: random.Random) -> Iterator[str]:
    rules, unread = file_rules()["apic"], [*question.files.unread, *question.certificates.unread]
    judgement = rules.lint(question)
    yield file_findings.text(judgement, question.files, unread)
    yield file_findings.as_json(judgement, question.files, unread)
    yield file_findings.sarif(judgement, rules.sources, unread, lambda _: text)
    yield file_findings.junit(judgement, rules.sources, unread, Severity.ERROR)
    yield rules.certificates(question)
    assert rules.renewal is not None and rules.termination is not None and rules.configured is not None
    yield str(rules.configured(question))
    try:
        yield _written(rules.renewal(question, generator.choice(_CAS)))
    except UsageError as refused:
        yield str(refused)
    try:
        made = rules.termination(question, generator.sample(_FLOWS, generator.randrange(1, 3)))
        yield _written(made.steps)
        yield _written(made.sheet)
    except UsageError as refused:
        yield str(refused)


def _written(made: Runbook) -> str:
    return "\n".join(runbook.written(made, form) for form in runbook.FORMATS)


class _Heard(logging.Handler):
    """What libraries log, which would stand on a user's terminal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record*."""
        self._lines.append(record.getMessage())

    def take(self) -> list[str]:
        """What was logged since the last time."""
        lines, self._lines = self._lines, []
        return lines


def run(cases: range, seed: int, seconds: int, keep: Path | None = None) -> list[str]:
    """Look at *cases*; returns what went wrong, a line each, and leaves those inputs in *keep*."""
    originals = corpus()
    wrong: list[str] = []
    log = _Heard()
    logging.getLogger().addHandler(log)
    try:
        for number in cases:
            generator = random.Random(f"{seed}/{number}")  # noqa: S311 - a case can be repeated
            data = mutated(generator.choice(originals), generator)
            before_it = len(wrong)
            try:
                with time_limit(seconds):
                    if KEY in look(data, generator):
                        wrong.append(f"case {number}: a key was printed")
                    wrong += [f"case {number}: a library logged {line}" for line in log.take()]
            except Exception:
                wrong.append(f"case {number}: {traceback.format_exc()}")
            if keep is not None and len(wrong) > before_it:
                (keep / f"case-{number}").write_bytes(data)
    finally:
        logging.getLogger().removeHandler(log)
    return wrong


def main() -> int:
    """The program; exit status 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    start = time.monotonic()
    wrong = run(
        range(arguments.first, arguments.first + arguments.cases), arguments.seed, arguments.seconds, arguments.keep
    )
    for line in wrong[:20]:
        print(line)  # noqa: T201
    print(f"{arguments.cases} cases, {len(wrong)} wrong, {time.monotonic() - start:.0f} s")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
