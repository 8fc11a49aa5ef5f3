"""A product of two servers, one flow, one requirement and one fault, to show what registering a product takes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from harness.model.catalogue import Server
from harness.pki.deployment import CLIENT, Blueprint, Secret, server_secrets
from harness.products.product import Product
from harness.products.resources import Spec, custom_resource, endpoint

_CA = "tiny-ca"


def _shelf(server: Server) -> Spec:
    return {"endpoint": endpoint(server.host, server.secret)}


TINY = Product(
    name="tiny",
    title="Tiny library",
    pki=Blueprint(
        authorities=(_CA,),
        secrets={
            **server_secrets(_CA, {"shelf-tls": "shelf.tiny.test", "desk-tls": "desk.tiny.test"}),
            "reader-tls": Secret(_CA, CLIENT),
        },
        clients=("reader-tls",),
        organization="tiny",
        external=_CA,
        internal=_CA,
    ),
    keys=None,
    configure={"Shelf": partial(custom_resource, "tiny/v1", _shelf)},
    subsystems=("harness.tests.products.tiny.kinds",),
    suites=(Path(__file__).parent / "suites",),
)
