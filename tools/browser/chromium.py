"""A headless Debian chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selenium import webdriver

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1360,900",
)  # fmt: skip


def driver(profile: Path) -> Any:
    """A browser with its profile in *profile*; raises SystemExit where there is none."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        raise SystemExit("this needs Debian's chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
