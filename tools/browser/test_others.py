"""Allure's report and mitmweb, as a person opens them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]


def _says(chromium: Any, pattern: str) -> re.Match[str]:
    def found(_driver: Any) -> re.Match[str] | Literal[False]:
        return re.search(pattern, chromium.find_element("css selector", "body").text) or False

    match: re.Match[str] = WebDriverWait(chromium, 40).until(found, f"nothing like {pattern}")
    return match


def _click(chromium: Any, xpath: str) -> None:
    def clicked(_driver: Any) -> bool:
        for item in chromium.find_elements("xpath", xpath):
            if item.is_displayed():
                chromium.execute_script("arguments[0].click()", item)
                return True
        return False

    WebDriverWait(chromium, 40).until(clicked, f"nothing to click at {xpath}")


def test_allure_counts_as_the_record_does_and_leads_to_a_failing_case(
    chromium: Any, report: Path, lines: list[dict[str, Any]]
) -> None:
    command = [sys.executable, "-m", "harness", "report", str(report), "--format", "allure"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    chromium.get_log("browser")
    chromium.get(f"file://{report}/allure-report/index.html")
    outcomes = Counter(line["outcome"] for line in lines[1:-1])
    assert int(_says(chromium, r"Total\s+(\d+)")[1]) == lines[-1]["cases"]
    assert int(_says(chromium, r"Failed\s+(\d+)")[1]) == outcomes["FAIL"]
    assert int(_says(chromium, r"Passed\s+(\d+)")[1]) == outcomes["PASS"]
    _says(chromium, r"fault\s+ignores-expiry")
    _click(chromium, "//*[@data-testid='tab-failed']")
    failing = next(line for line in lines[1:-1] if line["outcome"] == "FAIL")
    _click(chromium, f"//*[text()='{failing['case']}']")
    _says(chromium, re.escape(f"FAIL: {failing['reason']}"))
    tried = chromium.execute_script("return performance.getEntriesByType('resource').map(item => item.name)")
    refused = [item["message"] for item in chromium.get_log("browser") if "Content Security" in item["message"]]
    for address in tried:
        assert any(address in message for message in refused), f"{address} was not kept from being loaded"


@pytest.fixture
def mitmweb() -> Iterator[str]:
    """The address of an inspection with a violation in it."""
    ports = [_free_port() for _ in range(2)]
    command = [sys.executable, "-m", "harness", "inspect", "--ui", "web", "--exercise", "--fault", "ignores-expiry"]
    command += ["--port", str(ports[0]), "--web-port", str(ports[1])]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    patience = threading.Timer(60, process.kill)
    patience.start()
    try:
        address, sent = "", 0
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+/\S*", line)
            address = found[0] if found else address
            sent += line.strip().startswith("sent good: answered 201")
            if address and sent == 2:
                break
        assert address and sent == 2
        yield address
    finally:
        patience.cancel()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_mitmweb_shows_the_violation_and_each_claim(chromium: Any, mitmweb: str) -> None:
    chromium.get(mitmweb)
    _says(chromium, "violates JWT-13-TIME")
    _click(chromium, "//tr[contains(., 'violates')]/td[contains(@class, 'col-path')]")
    _says(chromium, r"Verdict: violates JWT-13-TIME")
    _says(chromium, r"BAD exp = \d+")
    _says(chromium, r"ok\s+iss = \"IBM API Connect\"\s+\(as agreed\)")
