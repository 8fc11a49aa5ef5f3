"""``hopproof lint`` and ``hopproof certs``: files judged before anything runs.  Writes nothing but its output."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.commands.verb import Arguments, Verbs, verb
from harness.decode.exported_certificates import collect
from harness.errors import UsageError
from harness.model.finding import Severity
from harness.model.resource import Unread
from harness.probes import manifests
from harness.products.registry import file_rules, judged_files, product, product_of_files
from harness.products.rules import PLATFORMS, FileRules, Question
from harness.writers import file_findings, patches

_FORMATS = ("text", "json", "sarif", "junit")


def add(verbs: Verbs) -> None:
    """Add ``lint`` and ``certs``."""
    judge = verb(verbs, "lint", _lint, "judge manifests and certificates in files, before anything runs")
    add_paths(judge)
    add_profile(judge)
    judge.add_argument("--format", choices=_FORMATS, default="text", help="output format (default text)")
    judge.add_argument(
        "--fail-on",
        choices=["error", "warning"],
        default="error",
        help="the lowest severity that ends in exit status 1 (default error)",
    )
    judge.add_argument(
        "--patches",
        default="",
        metavar="FOLDER",
        help="write the patches (JSON, RFC 6902) into this new folder, and the kubectl lines that apply them",
    )
    show = verb(
        verbs, "certs", _certs, "show the certificate hierarchy in files: issuers, expiry, use, and what is wrong"
    )
    add_paths(show)
    add_profile(show)


def add_paths(parser: argparse.ArgumentParser, number: str = "+") -> None:
    """Add what every verb on files has: which files (*number* of them), and as what they are judged."""
    parser.add_argument("paths", nargs=number, metavar="PATH", help="a folder, a file, or - for standard input")
    parser.add_argument("--product", default="", metavar="NAME", help="whose rules (default: detected from the files)")
    parser.add_argument(
        "--release", default="", metavar="R", help="judge by the rules of this release (default: the one in the files)"
    )
    parser.add_argument(
        "--platform",
        choices=PLATFORMS,
        default="",
        help="judge by the rules of this platform (default: detected from the files)",
    )


def add_profile(parser: argparse.ArgumentParser) -> None:
    """Add whose reading of the product's documents counts."""
    words = "whose reading to use where a product's document and its public code disagree"
    parser.add_argument("--profile", default="", metavar="NAME", help=words)


def question_of(arguments: Arguments) -> tuple[FileRules, Question, list[Unread]]:
    """The product's rules, what is to be judged, and what could not be read; raises :class:`UsageError`."""
    if arguments.product and product(arguments.product).files is None:
        raise UsageError(f"there are no rules for the files of {arguments.product!r}", hint="--product apic")
    files = manifests.load(arguments.paths)
    arguments.product = arguments.product or product_of_files(files)
    rules = file_rules()[arguments.product]
    certificates = collect(files)
    unread = [*files.unread, *certificates.unread]
    manifests.refuse_nothing(files, bool(certificates.held), unread, arguments.paths)
    question = Question(files, certificates, datetime.now(UTC), arguments.release, arguments.platform)
    question = replace(question, profile=getattr(arguments, "profile", ""))
    return rules, question, unread


def _lint(arguments: Arguments) -> int:
    if arguments.patches:
        patches.refuse(Path(arguments.patches), arguments.paths)
    asked = arguments.product
    rules, question, unread = question_of(arguments)
    judgement = rules.lint(question)
    manifests.refuse_unrelated(question.files, judgement, judged_files(asked), arguments.paths)
    fail_on = Severity(arguments.fail_on)
    if arguments.format == "json":
        shown = file_findings.as_json(judgement, question.files, unread)
    elif arguments.format == "sarif":
        again = [replace(item, matters=False) for item in question.files.again]
        shown = file_findings.sarif(judgement, rules.sources, [*unread, *again], manifests.text_of)
    elif arguments.format == "junit":
        shown = file_findings.junit(judgement, rules.sources, unread, fail_on)
    else:
        shown = file_findings.text(judgement, question.files, unread)
    print(shown)  # noqa: T201
    if arguments.patches:
        print(patches.write(Path(arguments.patches), judgement), file=sys.stderr)  # noqa: T201
    if judgement.worst(Severity.ERROR) or (fail_on is Severity.WARNING and judgement.worst(Severity.WARNING)):
        return 1
    # What could not be read was not judged: an answer that says "no error" would cover it.
    return 2 if not judgement.checked or any(item.matters for item in unread) else 0


def _certs(arguments: Arguments) -> int:
    rules, question, unread = question_of(arguments)
    if not question.certificates.held:
        raise UsageError("no certificates in these files", hint="export the Secrets, or name PEM files")
    for line in rules.certificates(question).splitlines():
        print(file_findings.plain(line))  # noqa: T201
    for item in unread:
        print(f"Not read: {item.file}:{item.line}: {file_findings.plain(item.message)}")  # noqa: T201
    return 2 if any(item.matters for item in unread) else 0
