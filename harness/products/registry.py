"""The products there are.  Registering one is all it takes to have it judged; an unknown name raises."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from harness.errors import CatalogueError, UsageError
from harness.model.resource import Files
from harness.products.apic import APIC
from harness.products.apk import APK
from harness.products.microservices import MICROSERVICES
from harness.products.product import Product, together
from harness.products.rules import FileRules

_PRODUCTS: dict[str, Product] = {}


def register(product: Product) -> None:
    """Add *product*; raises :class:`CatalogueError` for a name that is taken."""
    if product.name in _PRODUCTS:
        raise CatalogueError(f"there is a product called {product.name!r} already")
    _PRODUCTS[product.name] = product
    reference.cache_clear()


def unregister(product: Product) -> None:
    """Take *product* out again."""
    del _PRODUCTS[product.name]
    reference.cache_clear()


def product(name: str) -> Product:
    """The product called *name*; raises :class:`UsageError` for an unknown one."""
    if name not in _PRODUCTS:
        raise UsageError(f"unknown product {name!r}", hint=f"one of: {', '.join(_PRODUCTS)}")
    return _PRODUCTS[name]


@cache
def reference() -> Product:
    """All products as one lab runs them."""
    return together(_PRODUCTS.values())


def file_rules() -> dict[str, FileRules]:
    """What products have rules on files, by product."""
    return {name: item.files for name, item in _PRODUCTS.items() if item.files is not None}


def judged_files(name: str = "") -> dict[str, str]:
    """What the rules on files are about, by the title of the product; *name* takes one product."""
    known = (item for item in _PRODUCTS.values() if name in ("", item.name))
    return {item.title: item.files.judges for item in known if item.files is not None}


def product_of_files(files: Files) -> str:
    """Whose *files* are, as far as they show; the first product with rules on files where they show nothing."""
    rules = file_rules()
    return next((name for name, each in rules.items() if each.concerns(files)), next(iter(rules)))


def profiles() -> dict[str, str]:
    """The readings of documents that there are, each with its product."""
    return {name: item.name for item in _PRODUCTS.values() for name in item.profiles}


def certificate_headers() -> tuple[str, ...]:
    """The headers in which servers of products read a client's certificate."""
    return tuple(filter(None, (item.certificate_header for item in _PRODUCTS.values())))


def out_of_scope(names: Iterable[str]) -> str:
    """What the documents of the products called *names* describe and nothing here judges, in words; '' names none."""
    return " ".join(filter(None, (product(name).out_of_scope for name in sorted(set(names) - {""}))))


for _product in (APIC, MICROSERVICES, APK):
    register(_product)
