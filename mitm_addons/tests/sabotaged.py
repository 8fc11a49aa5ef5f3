"""A balancer in which one hook raises, for the tests of failing closed: ``-m mitm_addons.tests.sabotaged HOOK``."""

from __future__ import annotations

import sys
from collections.abc import Callable

from harness.model.exchange import BalancerView
from mitm_addons import balancer, server
from mitm_addons.records import Track


class Trap(dict[str, Track]):
    """The policy's tracks, which raise when the function called HOOK looks one up."""

    def __getitem__(self, key: str) -> Track:
        if sys._getframe(1).f_code.co_name == sys.argv[1]:
            raise RuntimeError("sabotage")
        return super().__getitem__(key)


class Sabotaged(server.RecordingServer):
    def __init__(self, report: Callable[[BalancerView], None]) -> None:
        super().__init__(report)
        self.tracks = Trap()


def main() -> None:
    server.RecordingServer = Sabotaged  # type: ignore[misc]  # that is the sabotage
    balancer.main()


if __name__ == "__main__":
    main()
