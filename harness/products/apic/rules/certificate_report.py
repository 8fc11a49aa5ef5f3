"""The certificates of a set of files as a page of text: who signed whom, what ends when, what each is for.

What is wrong of them is said by the rules, in the same words as ``hopproof lint``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import cached_property
from itertools import pairwise

from cryptography import x509

from harness.decode.exported_certificates import Held, public_key
from harness.model.finding import Finding
from harness.model.words import counted
from harness.pki.signatures import issuer_key_id, key_id, may_sign, self_signed, unchecked
from harness.products.apic.rules.certificates import CA, INGRESS_CA, Row
from harness.products.apic.rules.view import MANAGEMENT, View

_RENEWED_BEFORE = timedelta(days=30)  # cert-manager's ingress-ca; the documents' renewBefore is 720h
_DEEPEST = 10
_NAMED = 6


def report(view: View, findings: Sequence[Finding]) -> str:
    """The page; *findings* are those of the rules on certificates."""
    return "\n".join([*Page(view).lines(), *_wrong(findings)])


def _wrong(findings: Sequence[Finding]) -> Iterator[str]:
    yield ""
    yield (
        f"What is wrong ({len(findings)}):"
        if findings
        else "What is wrong: nothing that the rules on certificates find."
    )
    for finding in findings:
        yield f"  {finding.severity} {finding.requirement} {finding.object}: {finding.message}"
        yield f"    fix: {finding.fix}"


class Page:
    """The parts of the page."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._places: defaultdict[x509.Certificate, list[Held]] = defaultdict(list)
        for held in view.question.certificates.held:
            self._places[held.certificate].append(held)
        self._children: defaultdict[x509.Certificate, list[x509.Certificate]] = defaultdict(list)
        self._tops: list[x509.Certificate] = []
        self._lost: list[x509.Certificate] = []
        for certificate in self._places:
            self._sort_in(certificate)

    @cached_property
    def _current(self) -> frozenset[x509.Certificate]:
        """The CAs that are in force."""
        return frozenset(known.held.certificate for known in self._view.held if known.held and known.row.use == CA)

    @cached_property
    def _current_names(self) -> frozenset[bytes]:
        return frozenset(each.subject.public_bytes() for each in self._current)

    def _sort_in(self, certificate: x509.Certificate) -> None:
        if self_signed(certificate):
            self._tops.append(certificate)
            return
        signers = self._view.signers(certificate)
        for signer in signers:
            self._children[signer].append(certificate)
        if not signers:
            (self._tops if may_sign(certificate) else self._lost).append(certificate)

    def lines(self) -> Iterator[str]:
        """Every part, one after the other."""
        places = sum(map(len, self._places.values()))
        yield f"{counted(len(self._places), 'certificate')} in {counted(places, 'place')}"
        yield from self._tree()
        yield from self._timeline()
        yield from self._uses()
        yield from self._shared_keys()
        yield from self._overlaps()

    def _tree(self) -> Iterator[str]:
        yield "\nCertificate hierarchy (by signature):"
        for top in sorted(self._tops, key=self._name):
            yield from self._branch(top, 1)
        if self._lost:
            yield "  signed by no certificate in these files:"
            for leaf in sorted(self._lost, key=self._name):
                yield f"    {self._line(leaf)}"
                yield f"      {self._why_lost(leaf)}"

    def _branch(self, certificate: x509.Certificate, depth: int) -> Iterator[str]:
        yield f"{'  ' * depth}{self._line(certificate)}"
        if depth < _DEEPEST:
            for child in sorted(self._children[certificate], key=self._name):
                yield from self._branch(child, depth + 1)

    def _line(self, certificate: x509.Certificate) -> str:
        places = _shortened(dict.fromkeys(held.label for held in self._places[certificate]))
        identifier = key_id(certificate)
        key = f", key {identifier.hex()[:8]}" if identifier and may_sign(certificate) else ""
        former = " - a former certificate of that CA, for it is in no tls.crt" if self._former(certificate) else ""
        return f"{self._name(certificate)}: until {self._end(certificate)}{key} ({places}){former}"

    def _former(self, certificate: x509.Certificate) -> bool:
        if certificate in self._current or any(held.entry != "ca.crt" for held in self._places[certificate]):
            return False
        return certificate.subject.public_bytes() in self._current_names

    def _why_lost(self, leaf: x509.Certificate) -> str:
        issuer, named = leaf.issuer.rfc4514_string(), self._view.issuers.named(leaf)
        if not named:
            return f"its issuer {issuer} is not among these files"
        if reason := next(filter(None, (unchecked(leaf, each) for each in named)), ""):
            return f"its issuer {issuer} is here; whether that signed it cannot be checked: {reason.rstrip('.')}"
        wanted, there = issuer_key_id(leaf), {identifier for each in named if (identifier := key_id(each))}
        if wanted in there:
            return f"damaged: it names the key {wanted.hex()[:8]} of {issuer}, which did not make its signature"
        key = f"the key {wanted.hex()[:8]} of it" if wanted else "another key of it"
        present = ", ".join(sorted(identifier.hex()[:8] for identifier in there))
        return f"orphan: {key} signed this one; {issuer} in these files has {present or 'another key'}"

    def _name(self, certificate: x509.Certificate) -> str:
        """The name of its Secret or file, of several the one that holds no other; else its subject."""
        own = [held for held in self._places[certificate] if held.entry != "ca.crt" and held.place == 0]
        if own:
            return min(own, key=lambda held: self._sizes[held.file, held.name, held.namespace, held.entry]).name
        return certificate.subject.rfc4514_string() or "(no subject)"

    @cached_property
    def _sizes(self) -> Counter[tuple[str, str, str, str]]:
        """How many certificates are in each place."""
        held = self._view.question.certificates.held
        return Counter((each.file, each.name, each.namespace, each.entry) for each in held)

    @staticmethod
    def _end(certificate: x509.Certificate) -> str:
        return f"{certificate.not_valid_after_utc:%Y-%m-%d}"

    def _timeline(self) -> Iterator[str]:
        yield "\nExpiry:"
        for certificate in sorted(self._places, key=lambda each: (each.not_valid_after_utc, self._name(each))):
            left = certificate.not_valid_after_utc - self._view.now
            yield f"  {self._end(certificate)}  {_when(left)}  {self._name(certificate)}{self._renewal(certificate)}"

    def _renewal(self, certificate: x509.Certificate) -> str:
        row = self._row(certificate)
        if row is None or row.name != INGRESS_CA:
            return self._outlives(certificate)
        if self._copied(certificate):
            return "; a copy: cert-manager does not renew it here"
        day = certificate.not_valid_after_utc - _RENEWED_BEFORE
        number = len(self._children[certificate])
        signed = f"the {counted(number, 'certificate')} that it signed" if number else "what it signed"
        if self._view.platform == "vmware":
            return f"; renewed by hand on virtual appliances, and so {'are' if number > 1 else 'is'} {signed}"
        return f"; cert-manager renews it on {day:%Y-%m-%d}, and not {signed}"

    def _outlives(self, certificate: x509.Certificate) -> str:
        """That what signed *certificate* ends before it does."""
        signers = [] if self_signed(certificate) else self._view.signers(certificate)
        last = max((each.not_valid_after_utc for each in signers), default=certificate.not_valid_after_utc)
        before = last < certificate.not_valid_after_utc - timedelta(days=1)
        return f"; its CA ends before it, on {last:%Y-%m-%d}" if before else ""

    def _copied(self, certificate: x509.Certificate) -> bool:
        """Whether the certificate of a CA is in other namespaces than management's alone."""
        view = self._view
        homes = {(each.namespace, each.cluster) for each in view.of(MANAGEMENT)}
        homes = homes or {(top.namespace, view.cluster(top)) for top in view.tops}
        places = {
            (each.namespace, each.cluster) for each in view.held if each.held and each.held.certificate == certificate
        }
        return bool(homes and places) and "" not in {namespace for namespace, _ in places} and not homes & places

    def _row(self, certificate: x509.Certificate) -> Row | None:
        names = (held.name for held in self._places[certificate] if held.entry in ("tls.crt", "") and held.place == 0)
        return next((row for name in names if (row := self._view.row(name))), None)

    def _uses(self) -> Iterator[str]:
        yield "\nPurpose:"
        for (name, row), number in sorted(
            Counter((known.name, known.row) for known in self._view.held).items(), key=_name
        ):
            called = f"{name} ({number} of them)" if number > 1 else name
            yield f"  {called}: {row.legacy or _use(row)}"
        unknown = sum(1 for certificate in self._places if self._row(certificate) is None)
        if unknown:
            more = " more" if self._view.held else ""
            yield f"  {unknown}{more} {'is' if unknown == 1 else 'are'} not in the documents' tables"

    def _shared_keys(self) -> Iterator[str]:
        keys: defaultdict[bytes, set[x509.Certificate]] = defaultdict(set)
        for certificate in self._places:
            keys[public_key(certificate)].add(certificate)
        shared = [certificates for key, certificates in keys.items() if key and len(certificates) > 1]
        if shared:
            yield "\nOne key for several certificates (the holder of one can impersonate the others):"
            for certificates in shared:
                yield f"  {', '.join(sorted(self._described(certificates)))}"

    def _overlaps(self) -> Iterator[str]:
        """The CAs of one deployment that have one name and different keys, and when two are valid at once."""
        if not self._view.alone():
            return
        named: defaultdict[bytes, dict[bytes, x509.Certificate]] = defaultdict(dict)
        for certificate in sorted(self._places, key=lambda each: each.not_valid_before_utc):
            if may_sign(certificate) and self_signed(certificate):
                named[certificate.subject.public_bytes()][public_key(certificate)] = certificate
        found = [list(each.values()) for each in named.values() if len(each) > 1]
        if found:
            yield "\nCAs with one name and different keys (who trusts one of them refuses what the other signed):"
        for held in found:
            yield from (f"  {self._overlap(one, other)}" for one, other in pairwise(held))

    def _overlap(self, former: x509.Certificate, later: x509.Certificate) -> str:
        first, last = later.not_valid_before_utc, min(former.not_valid_after_utc, later.not_valid_after_utc)
        keys = " and ".join(identifier.hex()[:8] if (identifier := key_id(each)) else "?" for each in (former, later))
        when = f"both valid from {first:%Y-%m-%d} to {last:%Y-%m-%d}" if first < last else "never valid at once"
        return f"{self._name(later)}, keys {keys}: {when}"

    def _described(self, certificates: Iterable[x509.Certificate]) -> Iterator[str]:
        return (f"{self._name(each)} (until {self._end(each)})" for each in certificates)


def _when(left: timedelta) -> str:
    """How long until the end, in whole days."""
    days = abs(left).days
    if days == 0:
        return "within a day" if left > timedelta(0) else "ended less than a day ago"
    count = counted(days, "day")
    return f"in {count}" if left > timedelta(0) else f"ended {count} ago"


def _name(counted: tuple[tuple[str, Row], int]) -> str:
    return counted[0][0]


def _use(row: Row) -> str:
    use = "" if row.use in ("", CA) else f" ({row.use})"
    condition = f"; {row.condition} only" if row.condition else ""
    restart = f"; after its renewal restart {', '.join(row.restart)}" if row.restart else ""
    return f"{row.purpose}{use}{condition}{restart}"


def _shortened(labels: Iterable[str]) -> str:
    """*labels*, the first of them and how many more there are."""
    names = list(labels)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
