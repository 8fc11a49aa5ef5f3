"""What differs by release and platform, as dated rows.  Data only; an unknown release is judged by the newest profile.

Sources: API Connect TLS certificates; API Connect TLS certificate best practices (OVA, 10.0.5 and 10.0.8); what is new
in 12.1.  A profile holds what is in force; what a release does not have is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

Release = tuple[int, ...]
JWT_SINCE: Release = (10, 0, 5, 3)
INGESTION_JWT_SINCE: Release = (10, 0, 5, 4)
DEVELOPER_PORTAL_SINCE: Release = (12, 1)
CA_HOURS, LEAF_HOURS = 10 * 365 * 24, 2 * 365 * 24
_TWENTY_YEARS = 2 * CA_HOURS
_FROZEN = date(2026, 11, 26)  # when the rows were taken from the documents


@dataclass(frozen=True)
class Profile:
    """The rows in force for the releases that begin with ``release``, as the documents said on ``dated``."""

    release: Release
    dated: date
    ca_hours: Mapping[str, int] = field(default_factory=dict)  # by platform, where it is not ten years
    not_in_force: Mapping[str, str] = field(default_factory=dict)
    intermediate_ingress_ca: frozenset[str] = frozenset({"vmware"})

    @property
    def name(self) -> str:
        """``10.0.8``."""
        return ".".join(map(str, self.release))


_ONLY_10_0_6 = dict.fromkeys(
    ("db-client-pgbouncer", "db-client-primaryuser", "postgres-pgbouncer", "postgres-operator", "db-client-replicator"),
    "in 10.0.6 only",
)
PROFILES = (
    Profile((10, 0, 5), _FROZEN, not_in_force=_ONLY_10_0_6),
    Profile((10, 0, 6), _FROZEN),
    Profile((10, 0, 7), _FROZEN, not_in_force=_ONLY_10_0_6),
    Profile((10, 0, 8), _FROZEN, {"vmware": _TWENTY_YEARS}, _ONLY_10_0_6),
    Profile((12, 1), _FROZEN, {"vmware": _TWENTY_YEARS}, _ONLY_10_0_6),
)
NEWEST = PROFILES[-1]


def parse(text: str) -> Release:
    """``10.0.8.1-ifix2`` as numbers; () where it begins with none."""
    numbers: list[int] = []
    for part in text.strip().removeprefix("v").partition("-")[0].split("."):
        if not (part.isascii() and part.isdecimal() and len(part) < 6):
            break
        numbers.append(int(part))
    return tuple(numbers)


def profile_of(release: Release) -> Profile | None:
    """The profile that *release* falls under, None for an unknown release."""
    return next((profile for profile in PROFILES if release[: len(profile.release)] == profile.release), None)


def before(release: Release, other: Release) -> bool:
    """Whether *release* is certainly older than *other*: ``10.0.5`` may be 10.0.5.0 or 10.0.5.9."""
    for number, limit in zip(release, other, strict=False):
        if number != limit:
            return number < limit
    return False
