"""How the committed configurations are filled in, for each product.  Starts none of them."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
import yaml

from harness.errors import LabError
from harness.model import protocol
from tools.interop.balancers import Listener, configuration
from tools.interop.servers import SERVERS, template

PRODUCTS = tuple(SERVERS)
VALUES = {"FOLDER": "/lab", "CONFIG": "/lab/server", "SOURCE": "127.1.2.3"}


def order(mode: Literal["passthrough", "terminating"] = "terminating", **behaviours: Any) -> protocol.Listener:
    terminating = mode == "terminating"
    return protocol.Listener(
        id=f"portal|{mode}",
        mode=mode,
        upstream_host="127.0.0.1",
        upstream_port=41000,
        server_name="portal.test",
        certificate="/front.pem" if terminating else None,
        upstream_ca="/ca.crt" if terminating else None,
        behaviours=protocol.Behaviours(**behaviours),
    )


def filled(product: str, *listeners: Listener) -> str:
    return configuration(template(f"{product}-balancer").read_text("utf-8"), listeners, VALUES)


def directives(text: str) -> str:
    """*text* without its comments."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


@pytest.mark.parametrize("product", PRODUCTS)
def test_each_listener_has_its_section(product: str) -> None:
    text = filled(product, Listener(order(), 29002), Listener(order("passthrough"), 29001), Listener(order(), 29003))
    rest = directives(text)
    assert not re.search(r"@[A-Z_]+@|#[{}?]", rest)
    assert all(str(port) in rest for port in (29001, 29002, 29003, 41000))
    assert rest.count("/front.pem") == rest.count("/ca.crt") * (1 if product == "haproxy" else 2) != 0
    if product == "envoy":
        parts = yaml.safe_load(text)["static_resources"]
        names = [[item["name"] for item in parts[kind]] for kind in ("listeners", "clusters")]
        assert names == [["29001", "29002", "29003"]] * 2


# What makes each product do what the lab orders, and nothing of which may be there otherwise.
DOES = {
    "nginx": {
        "client-key": "proxy_ssl_certificate /client.pem",
        "strips-token": 'proxy_set_header Authorization ""',
    },
    "haproxy": {
        "client-key": "crt /client.pem",
        "strips-token": "del-header Authorization",
        "no-verify": "verify none",
    },
    "envoy": {"client-key": 'filename: "/client.pem"', "strips-token": "request_headers_to_remove"},
}
# What is always there unless the lab orders otherwise.
LEAVES = {
    "nginx": {"no-sni": "proxy_ssl_server_name on", "no-verify": "proxy_ssl_verify on"},
    "haproxy": {"no-sni": "sni str", "no-verify": "verify required"},
    "envoy": {"no-sni": 'sni: "portal.test"', "no-verify": "trusted_ca"},
}
ORDERS: dict[str, dict[str, Any]] = {
    "client-key": {"client_certificate": "/client.pem"},
    "strips-token": {"authorization": "strip"},
    "no-sni": {"send_sni": False},
    "no-verify": {"verify_upstream": False},
}


@pytest.mark.parametrize("ordered", ["", *ORDERS])
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_line_stays_only_where_it_was_ordered(product: str, ordered: str) -> None:
    text = directives(filled(product, Listener(order(**ORDERS.get(ordered, {})), 29002)))
    for name, line in DOES[product].items():
        assert (line in text) == (name == ordered), line
    for name, line in LEAVES[product].items():
        assert (line in text) == (name != ordered), line


@pytest.mark.parametrize("behaviours", [{"authorization": "alter"}, {"rewrite_body": True}])
def test_what_no_product_does_is_refused(behaviours: dict[str, Any]) -> None:
    with pytest.raises(LabError, match="only the built-in balancer"):
        filled("nginx", Listener(order(**behaviours), 29002))
