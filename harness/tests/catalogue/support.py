"""A small catalogue in a folder, whole and valid until a test changes it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from harness.catalogue import Catalogue, Known, load

Data = dict[str, Any]
Change = Callable[[Data], object]

KNOWN = Known(
    checks={"served", "token-refused"},
    faults={"lets-in", "keeps-out"},
    stimuli={
        "certificate": {"no-cert": "none at all"},
        "token": {"forged": "signed by another key", "stale": "expired"},
        "transport": {"clear": "in clear text"},
    },
)
TOPOLOGY: Data = {
    "product": "A product",
    "servers": {
        "portal": {
            "kind": "PortalCluster",
            "endpoint": "admin endpoint",
            "host": "portal.test",
            "secret": "portal-admin",
            "subject": "CN=client",
            "postures": ["default", "mtls", "jwt"],
            "default": "mtls",
        }
    },
    "flows": {
        name: {
            "client": "management",
            "server": "portal",
            "client_secret": "client",
            "request": {"method": "PUT", "path": "/x/{nonce}", "success": 201},
            "effect": "a thing is made",
        }
        for name in ("to-portal", "to-portal-again")
    },
}
AREA: Data = {
    "documents": {"manual": "The manual"},
    "classes": {
        "certificate": {"no-cert": ["certificate-missing"]},
        "token": {"forged": ["token-signature"], "stale": ["token-expired", "token-claims"]},
        "transport": {"clear": []},
    },
    "requirements": [
        {
            "id": "REQ-1",
            "level": "MUST",
            "basis": "document",
            "source": ["manual", "chapter 1"],
            "text": "A forged token\n  is refused.",
            "why": "It is forged.",
            "faults": ["lets-in", "keeps-out"],
            "cells": [
                {
                    "expect": "token-refused",
                    "flows": "all",
                    "postures": ["jwt"],
                    "paths": ["direct", "terminating"],
                    "tokens": ["forged", "stale"],
                },
                {
                    "expect": "served",
                    "flows": ["to-portal"],
                    "postures": ["default", "mtls"],
                    "paths": ["direct"],
                    "depth": "full",
                    "params": {"statuses": [403]},
                },
            ],
        }
    ],
}


class Suites:
    """A folder of suites; ``topology`` and ``area`` may be changed before :meth:`load`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.topology, self.area = copy.deepcopy(TOPOLOGY), copy.deepcopy(AREA)

    @property
    def requirement(self) -> Data:
        """The only requirement of the area."""
        row: Data = self.area["requirements"][0]
        return row

    @property
    def cells(self) -> Data:
        """Its first block."""
        block: Data = self.requirement["cells"][0]
        return block

    def write(self, area: str = "tokens") -> None:
        """Write topology and area."""
        (self.folder / area).mkdir(exist_ok=True)
        (self.folder / "a.topology.yaml").write_text(yaml.safe_dump(self.topology), "utf-8")
        (self.folder / area / "catalogue.yaml").write_text(yaml.safe_dump(self.area), "utf-8")

    def load(self) -> Catalogue:
        """Write and load."""
        self.write()
        return load([self.folder], KNOWN)

    def again(self) -> Data:
        """A second requirement like the first, under another id."""
        row: Data = {**copy.deepcopy(self.requirement), "id": "REQ-2"}
        self.area["requirements"].append(row)
        return row
