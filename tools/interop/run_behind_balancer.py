"""Judges the reference subsystems behind a third-party balancer, in the place of the built-in one.

python -m tools.interop.run_behind_balancer PRODUCT --report DIR [--expected FILE] [--only GLOB]... [--fault NAME]
    [--capture]
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path as FilePath

from harness.catalogue import Catalogue
from harness.catalogue.widen import widened
from harness.commands.run import execute
from harness.config import Options
from harness.errors import HopproofError
from harness.lab.reference import ReferenceLab
from harness.model.case import Case
from harness.model.vocabulary import Depth, Path
from harness.products.registry import reference
from harness.run.run import Run
from harness.targets.builtin import Target, embedded_bench
from tools.interop.servers import SERVERS

_ELSEWHERE = frozenset({"t-query-only", "t-cookie", "t-alt-header", "t-proxy-auth", "t-underscore"})


FAULTS = (
    "balancer-holds-client-key",
    "balancer-skips-verification",
    "balancer-strips-authorization",
    "passthrough-terminates",
)
"""What each of the products can be configured to do; the other faults of a balancer are the built-in one's alone."""


def behind(product: str) -> Target:
    """The reference subsystems on the paths on which *product* is the balancer."""
    version = SERVERS[product].installed_version()
    return Target(
        name=f"{product}-balancer",
        scope=f"Hopproof's own reference subsystems on loopback, behind {product} {version}.",
        own_lab=False,  # what a balancer's log does not tell remains unobserved, and is named
        grade=ReferenceLab.grade,
        features=reference().features,
        bench=partial(embedded_bench, balancer=("tools.interop.balancers", product)),
        adapt=_every_class,
        withhold=_withheld,
    )


def _every_class(catalogue: Catalogue) -> Catalogue:
    """*catalogue* with each class of token over the terminating path and each of certificate over the passthrough."""
    return widened(catalogue, {"tokens": [Path.TERMINATING], "chains": [Path.PASSTHROUGH]})


def _withheld(case: Case) -> str:
    if case.path is Path.DIRECT:
        return "nothing lies between client and server on this path"
    if case.path is Path.TERMINATING and case.flow.server.certificate_header:
        return "the balancer's configuration does not hand a client certificate on in a header"
    if case.path is Path.TERMINATING and case.stimulus.token in _ELSEWHERE:
        return "the server's record does not show whether a token arrived outside the Authorization header"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("product", choices=list(SERVERS))
    parser.add_argument("--report", type=FilePath, required=True, metavar="DIR")
    parser.add_argument("--expected", metavar="FILE")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB")
    parser.add_argument("--fault", default="", choices=FAULTS, help="what the balancer does wrong")
    parser.add_argument("--capture", action="store_true", help="judge from captured packets as well")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    given = vars(parser.parse_args())
    target = behind(given.pop("product"))
    options = Options(**{**given, "only": tuple(given["only"])}, target=target.name, depth=Depth.FULL)
    try:
        return execute(Run(options, target))
    except HopproofError as error:
        print(f"hopproof: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
