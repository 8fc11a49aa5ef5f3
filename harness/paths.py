"""Where the data lives that travels with the code: suites, fixtures, schemas.  In a wheel they are under ``_data``."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_DATA = _PACKAGE / "_data"
_ROOT = _DATA if _DATA.is_dir() else _PACKAGE.parent

SUITES = _ROOT / "suites"
FIXTURES = _ROOT / "fixtures"
SCHEMA = _DATA / "schema" if _DATA.is_dir() else _ROOT / "reports" / "schema"
