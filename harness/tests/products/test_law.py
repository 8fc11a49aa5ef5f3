"""A law: no module outside products/, subsystems/<product>/ and suites/ spells a product's server, secret, flow or
header."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from harness.catalogue.registry import catalogue
from harness.products.registry import certificate_headers, reference
from harness.tests.architecture import Source, production, within

OWN_ROOMS = ("harness.products", *(name.rpartition(".")[0] for name in reference().subsystems))
# Words of everybody's: target files call their one server so, and their token service; so do the references.
EVERYBODYS = {"service", "sts"}


def names() -> set[str]:
    known, product = catalogue(), reference()
    return {
        *known.servers,
        *known.flows,
        *product.pki.secrets,
        *product.pki.authorities,
        *(header.lower() for header in certificate_headers()),
        product.key_server.subsystem,
        product.key_server.server,
    } - EVERYBODYS


def spelt(source: Source) -> Iterator[str]:
    """Names of products in the strings of *source*; docstrings may give examples."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from (f"{source.name}:{node.lineno}: {name}" for name in names() if _names(node.value, name))


def _names(text: str, name: str) -> bool:
    """A name of one word counts where it is the whole string: ``portal`` is an English word, too."""
    return text == name or ("-" in name and name in text.lower())


def test_no_module_names_a_product() -> None:
    judged = (source for name, source in production().items() if not within(name, OWN_ROOMS))
    assert [text for source in judged for text in spelt(source)] == []


@pytest.mark.parametrize(
    "text",
    [
        'x = "portal"',
        'x = f"the flow management-to-portal of {y}"',
        'x = {"ingress-ca": 1}',
        'x = "X-WSO2-CLIENT-CERTIFICATE"',
    ],
)
def test_a_name_is_seen(text: str) -> None:
    assert list(spelt(Source("harness.run.engine", text)))


def test_an_example_in_a_docstring_is_none() -> None:
    assert list(spelt(Source("harness.run.engine", '"""Such as management-to-portal."""'))) == []
