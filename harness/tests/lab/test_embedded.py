"""The embedded lab says what is missing before it starts anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.catalogue.registry import FAULTS, catalogue
from harness.errors import UsageError
from harness.lab.embedded import embedded_lab
from harness.products.registry import reference


def test_a_package_that_is_missing_is_a_sentence_and_no_verdict() -> None:
    product = replace(reference(), packages=("hopproof_has_no_such_package",))
    with pytest.raises(UsageError, match="hopproof_has_no_such_package, which the reference servers need") as error:
        embedded_lab(product, catalogue().servers, catalogue().flows, FAULTS)
    assert error.value.exit_status == 2


def test_what_the_reference_imports_late_is_named() -> None:
    assert "jwcrypto" in reference().packages
