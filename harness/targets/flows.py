"""The flows of a target file: documented ones with its own servers and requests, and those of any service."""

from __future__ import annotations

from dataclasses import replace

from harness.catalogue import Catalogue
from harness.model.catalogue import Flow, Server
from harness.model.vocabulary import Posture
from harness.targets.file import Endpoint


def stand_ins(catalogue: Catalogue) -> list[Flow]:
    """The flows of which is asked what holds for any service, whatever the product."""
    return [flow for flow in catalogue.flows.values() if flow.any_service]


def server_of(endpoint: Endpoint, documented: Server) -> Server:
    """*documented* as *endpoint* is: its host, its posture, the subject of its client."""
    default = documented.default if endpoint.posture is Posture.DEFAULT else endpoint.posture
    # Any service is no part of the product whose endpoint it is asked like.
    product = "" if endpoint.generic else documented.product
    return replace(
        documented,
        name=endpoint.name,
        host=endpoint.host,
        secret="",
        subject=endpoint.subject,
        default=default,
        product=product,
    )


def service(endpoint: Endpoint, flow: Flow) -> Flow:
    """*flow* as any client's to the service at *endpoint*: a GET of its URL."""
    return replace(
        flow,
        name=f"client-to-{endpoint.name}",
        client="client",
        method="GET",
        path=endpoint.url_path,
        needs=(),
        body="",
        success=200,
        effect="the request is acted upon",
    )


def requested(endpoint: Endpoint, flow: Flow) -> Flow:
    """*flow* with the request that *endpoint* names, as far as it names one."""
    asked = endpoint.request
    given = {"method": asked.method, "path": asked.path, "body": asked.body, "success": asked.success}
    return replace(flow, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
