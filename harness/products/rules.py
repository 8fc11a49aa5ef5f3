"""Rules on a product's files: what one is, and how it reports.  The verb and the writers know these types only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as FilePath
from typing import Generic, TypeVar

from harness.decode.exported_certificates import Collection
from harness.decode.redaction import redact
from harness.model.fault import Fault
from harness.model.finding import Finding, Judgement, Severity
from harness.model.patch import Patch
from harness.model.resource import Files, Resource
from harness.model.runbook import Runbook
from harness.model.vocabulary import Path, Posture
from harness.products.rehearsal import Rehearsal

PLATFORMS = ("kubernetes", "openshift", "cp4i", "vmware")
View = TypeVar("View")
_OPEN = "whether this applies could not be decided"


@dataclass(frozen=True)
class Question:
    """What is to be judged, and as what: ``release`` and ``platform`` are '' where the files are to say it, ``profile``
    where the product's usual reading of its documents counts."""

    files: Files
    certificates: Collection
    now: datetime
    release: str = ""
    platform: str = ""
    profile: str = ""


class Log:
    """Takes what one rule finds."""

    def __init__(self, requirement: str, judgement: Judgement) -> None:
        self.requirement = requirement
        self._judgement = judgement

    def checked(self, number: int = 1) -> None:
        """Count *number* objects as looked at."""
        self._judgement.checked[self.requirement] += number

    def not_checked(self, why: str) -> None:
        """Say what the rule needs that is not in the files."""
        self._judgement.not_checked.setdefault(self.requirement, why)

    def undecided(self, at: Place, why: str) -> None:
        """Something that the rule is about is there, and whether it meets the rule cannot be decided."""
        self._judgement.leave_open(self.requirement, f"{at.file}:{at.line}: {at.object}: {why}")

    def remark(self, text: str) -> None:
        """Something that a reader must know of the judgement itself."""
        self._judgement.remarks.append(text)

    def error(self, at: Place, message: str, fix: str, patch: Patch | None = None) -> None:
        """Something that the documents forbid, or that breaks a flow."""
        self._add(Severity.ERROR, at, message, fix, patch)

    def warning(self, at: Place, message: str, fix: str, patch: Patch | None = None) -> None:
        """A departure from a default, or an old name."""
        self._add(Severity.WARNING, at, message, fix, patch)

    def note(self, at: Place, message: str, fix: str, patch: Patch | None = None) -> None:
        """Something to know."""
        self._add(Severity.NOTE, at, message, fix, patch)

    def _add(self, severity: Severity, at: Place, message: str, fix: str, patch: Patch | None) -> None:
        if patch is not None and redact(patch.text()) != patch.text():
            patch = None  # no key leaves the files
        found = Finding(self.requirement, severity, at.file, at.line, at.object, at.path, message, fix, patch)
        self._judgement.findings.append(found)


@dataclass(frozen=True)
class Place:
    """Where a finding is: ``object`` as a person calls it, ``path`` the field in it."""

    file: str
    line: int
    object: str
    path: str = ""

    @classmethod
    def of(cls, resource: Resource, *path: str | int) -> Place:
        """The field *path* of *resource*, or where it would stand."""
        return cls(resource.file, resource.root.line_of(*path), resource.label, dotted(path))


def dotted(path: Sequence[str | int]) -> str:
    """``spec.hosts[0].name``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


@dataclass(frozen=True)
class Rule(Generic[View]):
    """One requirement as it is read off files.

    ``about`` tells whether the files have what the rule is about, ``needs`` says what they lack where they do not;
    ``function`` looks at the product's view of the files, ``source`` is the document and section of the rule.
    """

    requirement: str
    text: str
    source: str
    needs: str
    about: Callable[[View], bool]
    function: Callable[[View, Log], None]


def apply(rules: Sequence[Rule[View]], view: View, judgement: Judgement) -> Judgement:
    """Put what each of *rules* says of *view* into *judgement*."""
    for rule in rules:
        rule.function(view, Log(rule.requirement, judgement))
    for rule in rules:
        name = rule.requirement
        if judgement.checked[name]:
            judgement.not_checked.pop(name, None)
            continue
        del judgement.checked[name]
        judgement.not_checked.setdefault(name, rule.needs)
        if name not in judgement.undecided and rule.about(view):
            judgement.leave_open(name, f"{_OPEN}: {judgement.not_checked[name]}, as far as can be read")
    return judgement


@dataclass(frozen=True)
class Export:
    """Files of one installation, to be judged: a file or folder, or what *make* writes for a moment.

    ``live`` says that the reference servers, with nothing configured, are what they configure.
    """

    name: str
    path: FilePath | None = None
    make: Callable[[datetime], bytes] | None = None
    live: bool = False


@dataclass(frozen=True)
class ConfiguredServer:
    """Which credentials of its clients a server of the topology verifies, as the object at ``place`` configures it."""

    server: str
    certificate: bool
    token: bool
    place: Place


@dataclass(frozen=True)
class TwinState:
    """A state that a flow passes through: its server in ``posture``, behind a balancer on ``path``."""

    title: str
    flow: str
    posture: Posture
    path: Path


@dataclass(frozen=True)
class Plan:
    """A change in two documents: ``steps`` for who makes it, ``sheet`` for who runs the balancers; and the ``states``
    that its flows pass through, in order."""

    steps: Runbook
    sheet: Runbook
    states: tuple[TwinState, ...]


@dataclass(frozen=True)
class FileRules:
    """What a product makes of files: ``lint`` judges them, ``certificates`` explains the certificates among them.

    ``sources`` maps each requirement to the text and the document that it comes from.  ``renewal`` makes the runbook
    for the renewal of a CA, ``termination`` the plan for flows whose balancers are to terminate TLS, ``rehearsal``
    what the embedded lab does of a renewal.  ``reference`` are installations without a mistake, ``faults`` has one with
    exactly one mistake for each fault; ``configured`` reads how the servers are protected, ``concerns`` says whether
    files are the product's, ``judges`` names what is judged and how to export it, ``kinds`` are those of the objects
    that its procedures read.
    """

    lint: Callable[[Question], Judgement]
    certificates: Callable[[Question], str]
    sources: Mapping[str, tuple[str, str]]
    renewal: Callable[[Question, str], Runbook] | None = None
    reference: Sequence[Export] = ()
    faults: Mapping[str, tuple[Fault, Export]] = field(default_factory=dict)
    configured: Callable[[Question], Sequence[ConfiguredServer]] | None = None
    termination: Callable[[Question, Sequence[str]], Plan] | None = None
    rehearsal: Callable[[str], Rehearsal] | None = None
    concerns: Callable[[Files], bool] = lambda files: False
    judges: str = ""
    kinds: frozenset[str] = frozenset()
