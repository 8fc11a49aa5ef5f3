"""The catalogue: what is required, read from ``suites/``, refused where it contradicts itself or names the unknown."""

from harness.catalogue.expand import expand
from harness.catalogue.loader import Catalogue, load
from harness.catalogue.rows import Known

__all__ = ["Catalogue", "Known", "expand", "load"]
