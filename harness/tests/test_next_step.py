"""What is printed to be pasted works when it is pasted; figures that stand side by side add up."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import paths
from harness.catalogue import expand
from harness.catalogue.registry import catalogue
from harness.cli import main
from harness.commands.explain import documented
from harness.config import Options, Skip
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup, Stimulus
from harness.model.vocabulary import Depth, Posture
from harness.model.vocabulary import Path as FlowPath
from harness.run.run import Run
from harness.targets.deployment import Deployment
from harness.tests.builders import row
from harness.tests.command import PATIENCE, environment, hopproof
from harness.tests.conftest import Finished
from harness.tests.places import CLAIMS, Place
from harness.wire.send import prepare
from harness.writers import record
from harness.writers.findings import repeat

File = Callable[[str], Path]
AUDIENCE = "tokens/STS-5/client-to-orders/jwt/direct/aud-wrong"


@pytest.fixture
def file(lab: ReferenceLab, tmp_path: Path) -> File:
    """Writes the target file of a service behind an STS, with a fault or none."""

    def written(fault: str) -> Path:
        setup = Setup("service", Posture.JWT, FlowPath.DIRECT, fault)
        entrypoint = lab.open([setup])[setup]
        assert isinstance(entrypoint, Entrypoint)
        server = {
            "url": f"https://{entrypoint.address.server_name}:{entrypoint.address.port}",
            "connect": f"127.0.0.1:{entrypoint.address.port}",
            "ca": str(entrypoint.ca),
            "posture": "jwt",
            "request": {"method": "PUT", "path": "/orders/{nonce}", "body": '{"name": "{nonce}"}', "success": 201},
        }
        claims = {"iss": "https://sts.ecomm.test", "aud": "orders.ecomm.test"}
        tokens = {"signing_key": str(lab.secrets.parent / "jwt" / "signing.key"), "claims": claims}
        data = {"product": {"name": "orders"}, "environment": "lab", "rate": 1000, "servers": {"orders": server}}
        (tmp_path / "a target.yaml").write_text(yaml.safe_dump({**data, "tokens": tokens}), "utf-8")
        return Path("a target.yaml")

    return written


def pasted(printed: str, folder: Path) -> Any:
    """What the last line's command does."""
    command = shlex.split(printed.splitlines()[-1].removeprefix("Next: "))
    assert command[0] == "hopproof"
    return hopproof(*command[1:], cwd=folder)


def test_the_next_step_after_a_failure(file: File, tmp_path: Path) -> None:
    run = ("run", "--target", str(file("ignores-audience")), "--only", "STS-5", "--report", "my report")
    first = hopproof(*run, cwd=tmp_path)
    assert first.returncode == 1, first.stdout + first.stderr
    then = pasted(first.stdout, tmp_path)
    assert then.returncode == 0, then.stderr
    assert then.stdout.startswith(AUDIENCE) and "servers.orders of a target.yaml" in then.stdout
    # What that prints in its turn works, too.
    alone = then.stdout.splitlines()[-1].partition("run it alone: ")[2]
    again = hopproof(*shlex.split(alone)[1:], cwd=tmp_path)
    assert again.returncode == 1 and "1 FAIL" in again.stdout, again.stdout + again.stderr
    assert hopproof("explain", AUDIENCE, "--report", "my report", cwd=tmp_path).stdout == then.stdout


def test_the_next_step_after_a_failure_in_files(tmp_path: Path) -> None:
    export = f"exports:{paths.FIXTURES / 'exports' / 'broken' / 'CFG-1.yaml'}"
    first = hopproof("run", "--target", export, "--report", "my report", cwd=tmp_path)
    assert first.returncode == 1, first.stdout + first.stderr
    then = pasted(first.stdout, tmp_path)
    assert then.returncode == 0, then.stderr
    assert "CFG-1 (MUST)" in then.stdout and "input: exported files" in then.stdout
    assert hopproof("explain", "CFG-1", "--target", export, cwd=tmp_path).returncode == 0
    assert hopproof("explain", "CFG-99", "--target", export, cwd=tmp_path).returncode == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_a_finding_is_repeated_by_the_line_that_is_printed(file: File, tmp_path: Path) -> None:
    target = str(file("ignores-audience"))
    run = ("run", "--target", target, "--only", AUDIENCE, "--only", "JWT-13-NONE", "--report", "my report")
    first = hopproof(*run, cwd=tmp_path)
    (line,) = (text for text in first.stdout.splitlines() if text.startswith("    repeat: "))
    _, rows, _ = record.read(tmp_path / "my report")
    kept = {row["stimulus"]: row["evidence"] for row in rows}
    assert kept["aud-wrong"]["client"]["token"]["claims"]["aud"] != "orders.ecomm.test"
    assert "token" not in kept["str-no-token"]["client"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line.partition("repeat: ")[2]],
        cwd=tmp_path, env=environment(PATH=path), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert "\nHTTP/1.1 201" in done.stdout, done.stdout + done.stderr
    written = tmp_path / "hopproof-replay" / "aud-wrong" / "headers"
    secret = written.read_text("utf-8").split()[-1]
    assert secret.count(".") == 2 and written.stat().st_mode & 0o777 == 0o600
    # Neither the terminal nor anything in a report has the whole token.
    signature = secret.rpartition(".")[2]
    message = [first.stdout, done.stdout, done.stderr]
    message += [
        location.read_text("utf-8", "replace") for location in (tmp_path / "my report").rglob("*") if location.is_file()
    ]
    assert not any(signature in text for text in message)
    # Without a token there is nothing to write, and the line needs no replay.
    assert "reads" not in kept["str-no-token"]["extra"]
    refused = subprocess.run(
        ["bash", "-c", kept["str-no-token"]["extra"]["curl"]],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert refused.stdout.startswith("HTTP/1.1 401")


def test_with_keys_of_ours_a_finding_is_repeated_by_a_replay_alone(lab: ReferenceLab, tmp_path: Path) -> None:
    """What is served with the keys of a run is refused once the run has ended."""
    place, key = Place(lab, tmp_path), str(lab.secrets.parent / "jwt" / "signing.key")
    jwks = {"jwks": {"listen": "127.0.0.1:0", "signing_key": key}, "claims": CLAIMS}
    cases = (case for case in expand(catalogue(), ())[0] if case.flow.server.name == "portal")
    case = next(case for case in cases if case.stimulus == Stimulus())
    bare = prepare("GET", "/", (("Host", b"x"),), b"")
    signed = prepare("GET", "/", (("Host", b"x"), ("Authorization", b"Bearer " + place.token().encode())), b"")
    for tokens, curl in ((place.signing, [True, True]), (jwks, [False, True])):
        deployment = Deployment.load(place.file(Posture.JWT, tokens=tokens))
        assert ["curl" in deployment._describe(case, request, None) for request in (signed, bare)] == curl
    found = row(outcome="FAIL", evidence={"extra": {}})
    assert repeat(found, "t.yaml", "r") == f"hopproof replay {found['case']} --report r"


def test_what_a_replay_writes_is_for_servers_that_stay(conforming: Finished, tmp_path: Path) -> None:
    case = record.read(conforming.report)[1][0]["case"]
    done = hopproof("replay", case, "--report", str(conforming.report), "--write", "x", cwd=tmp_path)
    assert done.returncode == 2 and "hopproof serve" in done.stderr


def test_the_next_step_after_a_quick_and_after_a_full_run(file: File, tmp_path: Path) -> None:
    run = ("run", "--target", str(file("")), "--report", "my report")
    first = hopproof(*run, cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    full = pasted(first.stdout, tmp_path)
    assert record.read(tmp_path / "my report")[0]["depth"] == "full"
    last = pasted(full.stdout, tmp_path)
    assert last.returncode == 0, last.stderr
    # And the figures: the same words for the same thing, and sums that are sums.
    for text in (first.stdout, full.stdout):
        _adds_up(text)
    checked = hopproof("target", "check", str(file("")), cwd=tmp_path).stdout
    listed = hopproof(*run, "--dry-run", cwd=tmp_path).stdout
    lines = {line for line in first.stdout.splitlines() if line.startswith("In the catalogue for this target")}
    assert len(lines) == 1 and all(f"{line} " in checked.replace("\n", " ") for line in lines)
    assert lines < set(listed.splitlines())


def _numbers(pattern: str, text: str) -> list[int]:
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return [int(number) for number in re.findall(r"\d+", found[0])]


def _adds_up(text: str) -> None:
    catalogue, apply, withheld = _numbers(r"In the catalogue for this target: .*", text)
    assert catalogue == apply + withheld
    whole, *parts = _numbers(r"Of the \d+ that apply: .*", text)
    assert whole == apply == sum(parts)
    run, *ended = _numbers(r"Of the \d+ in this run: .*", text)
    assert run == parts[0] == sum(ended)
    assert run == _numbers(r"\d+ cases in", text)[0] == _numbers(r"\d+ cases, depth", text)[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"depth": Depth.FULL},
        {"only": ("STS-5",)},
        {"only": ("tokens/*",), "skip": (Skip("*aud-wrong", "r"),)},
        {"skip": (Skip("STS-5", "r"),), "depth": Depth.FULL},
    ],
)
def test_every_case_is_counted_once(
    file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Mapping[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run(Options(target=str(file("")), **options))
    counts = run.counts()
    assert counts.catalogue == counts.apply + counts.withheld
    assert counts.apply == counts.run + counts.deeper + counts.unselected + counts.skipped
    assert counts.run == len(run.cases) and counts.skipped == len(run.header()["skipped"])
    assert counts.withheld == len(run.header()["withheld"])
    assert min(asdict(counts).values()) >= 0
    assert bool(counts.unselected) is bool(run.options.only)
    assert bool(counts.deeper) is (run.options.depth is Depth.QUICK)


def test_what_a_service_of_ones_own_is_explained_by(capsys: pytest.CaptureFixture[str]) -> None:
    assert documented(AUDIENCE) == AUDIENCE.replace("orders", "service")
    assert "/management-to-portal/" in documented("flows/FLW-2/client-to-orders/mtls/direct/tls-no-cert")
    own = "apk/APK-2/client-to-mtls-mandatory-oauth2-mandatory/jwt/direct/tls-no-cert+str-no-token"
    assert documented(own) == own
    assert main(["explain", AUDIENCE]) == 0
    assert "a token for another service" in capsys.readouterr().out
    assert main(["explain", AUDIENCE.replace("wrong", "strange")]) == 2
    assert "hopproof explain ID --target FILE" in capsys.readouterr().err
