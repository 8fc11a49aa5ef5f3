"""Evidence from exported files: what a product's rules find in them.  Reads files; judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from harness.decode.exported_certificates import collect
from harness.decode.manifests import read
from harness.errors import CannotJudge, UsageError
from harness.model.case import Case
from harness.model.finding import Finding, Judgement
from harness.model.observations import Configured
from harness.model.observations import Files as Facts
from harness.model.resource import Files
from harness.probes import manifests
from harness.products.registry import file_rules, judged_files, product_of_files
from harness.products.rules import Export, FileRules, Question

Said = Mapping[str, tuple[bool, bool]]
"""Flow -> whether its server is said to verify the client's certificate, and its token."""


@dataclass
class Done:
    """What live cases showed of the servers.

    ``let_in`` maps a flow to a case in which a client was served that was to be kept out, ``turned_away`` a flow and
    what its server verifies (certificate, token) to the words for a client that presented just that and was refused.
    ``unseen`` says why the servers have shown nothing.
    """

    let_in: dict[str, str] = field(default_factory=dict)
    turned_away: dict[tuple[str, bool, bool], str] = field(default_factory=dict)
    unseen: str = ""


@dataclass(frozen=True)
class Installation:
    """One set of files that belong together; ``live`` where its servers are the ones that are asked."""

    files: Files
    live: bool = True

    @classmethod
    def of(cls, export: Export) -> Installation:
        """What *export* holds."""
        if export.make is None:
            return cls(manifests.load([str(export.path)]), export.live)
        resources, unread = read(export.make(datetime.now(UTC)), export.name)
        return cls(Files(resources, [], unread, 1), export.live)


@dataclass
class _Judged:
    judgement: Judgement
    question: Question
    live: bool


@dataclass
class Exports:
    """The files of one run, judged once.  ``said`` is how the servers that are asked are protected, ``flows`` maps a
    server to the flows that end there, ``unsaid`` tells why the two cannot be compared, ``profile`` in which reading of
    the product's documents they are judged."""

    product: str
    installations: Sequence[Installation]
    said: Said = field(default_factory=dict)
    flows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unsaid: str = ""
    profile: str = ""
    _broken: dict[str, _Judged] = field(default_factory=dict)

    @classmethod
    def load(cls, product: str, paths: Sequence[str], profile: str = "") -> Exports:
        """The files at *paths*, of *product* ('': as they show).

        Raises :class:`UsageError` where there is nothing to judge, or something unreadable.
        """
        files = manifests.load(paths)
        exports = cls(product or product_of_files(files), [Installation(files)], profile=profile)
        certificates = collect(files)
        unread = [item for item in (*files.unread, *certificates.unread) if item.matters]
        if unread:
            where = f"{unread[0].file}:{unread[0].line}"
            raise UsageError(f"cannot be read: {unread[0].message}", where=where, hint="correct it, or leave it out")
        manifests.refuse_nothing(files, bool(certificates.held), (*files.unread, *certificates.unread), paths)
        manifests.refuse_unrelated(files, exports._judged[0].judgement, judged_files(product), paths)
        return exports

    @property
    def rules(self) -> FileRules:
        """The product's rules."""
        return file_rules()[self.product]

    @cached_property
    def _judged(self) -> list[_Judged]:
        return [self._judge(installation) for installation in self.installations]

    def _judge(self, installation: Installation) -> _Judged:
        question = Question(installation.files, collect(installation.files), datetime.now(UTC), profile=self.profile)
        return _Judged(self.rules.lint(question), question, installation.live)

    def facts(self, case: Case, fault: str = "", done: Done | None = None) -> Facts:
        """What the rule of *case* finds, beside what the servers have *done*; with *fault*, in the files that have that
        mistake as well."""
        judged = list(self._judged)
        if fault in self.rules.faults:
            if fault not in self._broken:
                self._broken[fault] = self._judge(Installation.of(self.rules.faults[fault][1]))
            broken = self._broken[fault]
            # The reference servers are configured by one set of files at a time.
            judged = [*(item for item in judged if not (item.live and broken.live)), broken]
        rule = case.params.rule or case.requirement.id
        left_open = [why for item in judged for why in item.judgement.undecided.get(rule, ())]
        facts: Facts = {
            "judged_as": [item.judgement.heading for item in judged],
            "checked": sum(item.judgement.checked[rule] for item in judged),
            "not_checked": next(filter(None, (item.judgement.not_checked.get(rule) for item in judged)), ""),
            "findings": [
                {
                    "severity": str(found.severity),
                    "file": found.file,
                    "line": found.line,
                    "object": found.object,
                    "path": found.path,
                    "message": found.message,
                    "fix": found.fix,
                }
                for found in _of(rule, judged)
            ],
        }
        if left_open:
            facts["undecided"] = left_open
        if not case.compares_files:
            return facts
        done = done or Done()
        unsaid = self.unsaid or done.unseen
        return {**facts, "configured": list(self._configured(judged, done)), "not_checked": unsaid}

    def absent(self, case: Case) -> str:
        """What the files lack of what *case* is about; '' where they have it, decided or not."""
        try:
            return self._lacking(case)
        except Exception:  # it becomes the HARNESS_ERROR of the case
            return ""

    def _lacking(self, case: Case) -> str:
        if case.compares_files:
            compared = self.unsaid or any(True for _ in self._configured(self._judged, Done()))
            return self.unsaid or ("" if compared else "no file configures a server that is asked")
        rule = case.params.rule or case.requirement.id
        judged = [item.judgement for item in self._judged]
        if any(item.checked[rule] or rule in item.undecided for item in judged):
            return ""
        return next(filter(None, (item.not_checked.get(rule) for item in judged)), "")

    def _configured(self, judged: Iterable[_Judged], done: Done) -> Iterable[Configured]:
        if self.rules.configured is None:
            raise CannotJudge(f"the posture that files of {self.product} configure is not known")
        for item in judged:
            for server in self.rules.configured(item.question) if item.live else ():
                for flow in self.flows.get(server.server, ()):
                    if flow not in self.said:
                        continue
                    certificate, token = self.said[flow]
                    compared: Configured = {
                        "flow": flow,
                        "certificate": server.certificate,
                        "token": server.token,
                        "object": server.place.object,
                        "file": server.place.file,
                        "line": server.place.line,
                        "said_certificate": certificate,
                        "said_token": token,
                    }
                    if flow in done.let_in:
                        compared["let_in"] = done.let_in[flow]
                    if away := done.turned_away.get((flow, server.certificate, server.token)):
                        compared["turned_away"] = away
                    yield compared


def _of(rule: str, judged: Iterable[_Judged]) -> Iterable[Finding]:
    return (found for item in judged for found in item.judgement.sorted() if found.requirement == rule)
