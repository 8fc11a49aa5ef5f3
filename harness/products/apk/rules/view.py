"""APK as a set of files shows it: the APIs that are configured with mTLS, where, and with which certificates."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.model.patch import Patch, Value, patch, put
from harness.model.resource import Located, Resource
from harness.products.apk.target import PROFILES
from harness.products.rules import Place, Question, dotted

GROUP = "dp.wso2.com"
MTLS, CERTIFICATES = "mTLS", "certificates"
DOCUMENT = "document"
SOURCES = {"certificatesInline": "", "configMapRefs": "ConfigMap", "secretRefs": "Secret"}
"""Where a resource may have its certificates: by field, the kind of object; in the order in which APK 1.2 asks them."""

Release = tuple[int, ...]
Path = tuple[str | int, ...]
_RELEASE = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+.].*)?")
_IMAGE = re.compile(r"(?:^|/)apk-[a-z-]+:([\w.-]+)$")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Pod")


@dataclass(frozen=True)
class Part:
    """One way of authentication as it is written: ``kind`` is its name there, ``at`` its place in ``resource``."""

    resource: Resource
    kind: str
    at: Path

    @property
    def root(self) -> Located:
        """What is written there."""
        return self.resource.root.at(*self.at) or self.resource.root

    @property
    def is_conf(self) -> bool:
        """Whether an apk-conf file says it, not a resource."""
        return not self.resource.kind

    @property
    def off(self) -> bool:
        """Whether it is switched off, there or for the whole resource."""
        if self.is_conf:
            return self.root.flag("enabled") is False
        blocks = ("default", "override")
        return self.root.flag("disabled") is True or any(
            self.resource.root.flag("spec", name, "disabled") is True for name in blocks
        )

    def put(self, value: Value, *path: str | int) -> Patch:
        """Have the field *path* of it say *value*."""
        return patch(self.resource, put(self.resource, value, *self.at, *path))

    def place(self, *path: str | int) -> Place:
        """Where the field *path* of it stands, or would."""
        whole = (*self.at, *path)
        return Place(self.resource.file, self.resource.root.line_of(*whole), label(self.resource), dotted(whole))


@dataclass(frozen=True)
class Reference:
    """A certificate that a part names: in an object of ``kind``, or (kind '') in the file itself."""

    part: Part
    path: Path
    kind: str

    @property
    def written(self) -> Located:
        """What is written there."""
        return self.part.root.at(*self.path) or self.part.root

    @property
    def named(self) -> str:
        """``ConfigMap clients (key tls.crt)``."""
        name, key = self.written.text("name"), self.written.text("key")
        return f"{self.kind} {name or 'without a name'} (key {key or 'left out'})" if self.kind else "inline"


class View:
    """The files of a question, as APK."""

    def __init__(self, question: Question) -> None:
        self.question = question
        resources = question.files.resources
        self.confs = [each for each in resources if is_conf(each)]
        self.authentications = [each for each in resources if (each.kind, each.group) == ("Authentication", GROUP)]
        self.apis = [each for each in resources if (each.kind, each.group) == ("API", GROUP)]
        self.profile = question.profile or next(iter(PROFILES))

    @cached_property
    def parts(self) -> Sequence[Part]:
        """Every way of authentication that is written down, where its schema has it."""
        return [*self._of_confs(), *self._of_resources("authTypes")]

    @cached_property
    def misplaced(self) -> Sequence[Part]:
        """mTLS where the document has it in a resource, and the schema does not."""
        return [part for part in self._of_resources() if part.kind == "mtls"]

    def mtls(self) -> Iterator[Part]:
        """mTLS that is on, wherever the profile reads it."""
        found = [*self.parts, *(self.misplaced if self.profile == DOCUMENT else ())]
        return (part for part in found if part.kind.lower() == "mtls" and not part.off)

    def _of_confs(self) -> Iterator[Part]:
        for conf in self.confs:
            for number, item in enumerate(conf.root.items("authentication")):
                yield Part(conf, item.text("authType"), ("authentication", number))

    def _of_resources(self, *inside: str) -> Iterator[Part]:
        for resource in self.authentications:
            for block in ("default", "override"):
                for name in resource.root.fields("spec", block, *inside):
                    yield Part(resource, name, ("spec", block, *inside, name))

    def references(self, part: Part) -> Iterator[Reference]:
        """The certificates that *part* names, of all sources."""
        fields = {CERTIFICATES: "ConfigMap"} if part.is_conf else SOURCES
        for field, kind in fields.items():
            for number in range(len(part.root.items(field))):
                yield Reference(part, (field, number), kind)

    def found(self, reference: Reference, kind: str = "") -> list[Resource]:
        """The objects that *reference* may mean, or those of another *kind*; an apk-conf has no namespace."""
        name, namespace = reference.written.text("name"), reference.part.resource.namespace
        return [
            each
            for each in self.question.files.of(kind or reference.kind)
            if each.name == name and (not namespace or each.namespace in ("", namespace))
        ]

    def text(self, reference: Reference) -> str | None:
        """The text of the certificate, None where the files do not have it; of a Secret '' where it is not Base64."""
        if not reference.kind:
            return reference.written.text()
        key = reference.written.text("key")
        for each in self.found(reference):
            for section in ("data", "stringData"):
                value = each.root.at(section, key)
                if value is not None and value.is_text:
                    encoded = reference.kind == "Secret" and section == "data"
                    return _decoded(value.text()) if encoded else value.text()
        return None

    @cached_property
    def release(self) -> Release:
        """The release that was asked for, or the newest of the images in the files; () where none is known."""
        if self.question.release:
            return parse(self.question.release)
        return max((parse(tag) for tag in self._tags()), default=())

    def _tags(self) -> Iterator[str]:
        for workload in self.question.files.of(*_WORKLOADS):
            inside = () if workload.kind == "Pod" else ("spec", "template")
            for container in workload.root.items(*inside, "spec", "containers"):
                if found := _IMAGE.search(container.text("image")):
                    yield found[1]


def is_conf(resource: Resource) -> bool:
    """Whether it is an apk-conf file."""
    root = resource.root
    return not resource.kind and root.at("basePath") is not None and root.at("operations") is not None


def label(resource: Resource) -> str:
    """What a person calls it."""
    if resource.kind:
        return resource.label
    return f"apk-conf {resource.root.text('name') or resource.root.text('id') or 'without a name'}"


def parse(text: str) -> Release:
    """``1.2.0-rc`` as (1, 2, 0); () where it is no release."""
    found = _RELEASE.fullmatch(text.strip())
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
