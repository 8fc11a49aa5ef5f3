"""mTLS servers of others that compare a client's subject with the one they know in a way of their own."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.tests.faulty.certificates import Server

# Cyrillic letters and the Latin ones that look the same (Unicode Technical Standard 39, confusables.txt).
LOOKALIKES = str.maketrans("\u0430\u0441\u0435\u04bb\u0456\u0458\u043e\u0440\u0455\u0445\u0443\u0501", "acehijopsxyd")


def values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    """The values of one type, in order."""
    return [str(part.value) for part in name.get_attributes_for_oid(oid)]


class NotCompared(Server):
    """Whoever the CA knows gets in."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return True


class CommonNameOnly(Server):
    """Compares the first common name."""

    def knows(self, certificate: x509.Certificate) -> bool:
        own = NameOID.COMMON_NAME
        return values(certificate.subject, own)[:1] == values(self.subject, own)


class AnyCommonName(Server):
    """Looks for the right name among the common names."""

    def knows(self, certificate: x509.Certificate) -> bool:
        rest = [part for part in certificate.subject if part.oid != NameOID.COMMON_NAME]
        known = [part for part in self.subject if part.oid != NameOID.COMMON_NAME]
        names = values(certificate.subject, NameOID.COMMON_NAME)
        return rest == known and values(self.subject, NameOID.COMMON_NAME)[0] in names


class PartOfCommonName(Server):
    """Asks whether the common name begins with the right one."""

    def knows(self, certificate: x509.Certificate) -> bool:
        rest = [part for part in certificate.subject if part.oid != NameOID.COMMON_NAME]
        known = [part for part in self.subject if part.oid != NameOID.COMMON_NAME]
        name = "".join(values(certificate.subject, NameOID.COMMON_NAME))
        return rest == known and self.alike(name, values(self.subject, NameOID.COMMON_NAME)[0])

    @staticmethod
    def alike(name: str, known: str) -> bool:
        """Whether a client of that name is taken for the known one."""
        return name.startswith(known)


class EndOfCommonName(PartOfCommonName):
    """Asks whether the common name ends with the right one."""

    @staticmethod
    def alike(name: str, known: str) -> bool:
        return name.endswith(known)


class SomeParts(Server):
    """Every part that the certificate has must be right."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return set(certificate.subject) <= set(self.subject)


class PartsAmong(Server):
    """Every part that is asked for must be there."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return set(certificate.subject) >= set(self.subject)


class AnyOrder(Server):
    """Compares the RDNs as a set."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return set(certificate.subject.rdns) == set(self.subject.rdns)


class Flattened(Server):
    """Compares the attributes as a set, whatever RDNs they form."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return set(certificate.subject) == set(self.subject)


class LastOfEach(Server):
    """Puts the attributes in a dictionary by type, where the last of a type remains."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return {part.oid: part.value for part in certificate.subject} == {p.oid: p.value for p in self.subject}


class Unescaped(Server):
    """Compares a text that it joins itself, without escaping a comma."""

    def knows(self, certificate: x509.Certificate) -> bool:
        parts = (f"{part.rfc4514_attribute_name}={part.value!s}" for part in reversed(list(certificate.subject)))
        return ",".join(parts) == self.subject.rfc4514_string()


class ValuesOnly(Server):
    """Compares the values, whatever their types."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return [part.value for part in certificate.subject] == [part.value for part in self.subject]


class AlternativeName(Server):
    """Takes a DNS name of the certificate for its subject."""

    def knows(self, certificate: x509.Certificate) -> bool:
        names: list[str] = []
        for extension in certificate.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                names = extension.value.get_values_for_type(x509.DNSName)
        return values(self.subject, NameOID.COMMON_NAME)[0] in names or super().knows(certificate)


class Folded(Server):
    """Folds letters that look the same."""

    def knows(self, certificate: x509.Certificate) -> bool:
        parts = [(part.oid, str(part.value).translate(LOOKALIKES)) for part in certificate.subject]
        return parts == [(part.oid, part.value) for part in self.subject]


class NobodyNamed(Server):
    """Compares a subject where there is one."""

    def knows(self, certificate: x509.Certificate) -> bool:
        return not list(certificate.subject) or super().knows(certificate)
