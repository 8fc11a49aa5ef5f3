"""Pictures of what people see, from Debian's chromium: to be looked at, and for the README.

python tools/browser/pictures.py REPORT OUT        the page: light, dark, narrow, on paper; Allure's, if it is there
python tools/browser/pictures.py http://... OUT    mitmweb, with the first violation opened
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tools.browser.chromium import driver

WIDE, NARROW = (1360, 900), (390, 844)
READY = "return document.documentElement.dataset.ready"


@contextmanager
def _screen(chromium: Any, size: tuple[int, int], scheme: str = "light") -> Iterator[None]:
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == NARROW}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    yield
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _shoot(chromium: Any, file: Path) -> None:
    file.write_bytes(base64.b64decode(chromium.get_screenshot_as_base64()))
    sys.stdout.write(f"{file}\n")


def _page(chromium: Any, address: str, out: Path) -> None:
    for name, size, scheme in (("light", WIDE, "light"), ("dark", WIDE, "dark"), ("narrow", NARROW, "light")):
        with _screen(chromium, size, scheme):
            for part in ("summary", "topology", "matrix", "cases"):
                chromium.get("about:blank")
                chromium.get(address)
                WebDriverWait(chromium, 20).until(lambda _: chromium.execute_script(READY))
                if not chromium.find_elements("id", part):
                    continue  # of files alone nothing is drawn
                if part == "topology":
                    # Our own lab in one posture; a target file has one or a few.
                    chromium.find_elements("xpath", "//button[text()='jwt'] | //button[@data-drawing='0']")[-1].click()
                if part == "cases":
                    chromium.execute_script("document.querySelector('#list button').click()")
                    WebDriverWait(chromium, 20).until(lambda _: chromium.find_elements("css selector", "#list .case"))
                if part != "summary":
                    chromium.execute_script(f"document.getElementById('{part}').scrollIntoView()")
                _shoot(chromium, out / f"page-{part}-{name}.png")
    paper = chromium.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "paperWidth": 8.3})
    (out / "page.pdf").write_bytes(base64.b64decode(paper["data"]))


def _says(chromium: Any, words: str) -> None:
    WebDriverWait(chromium, 30).until(lambda _: words in chromium.find_element("css selector", "body").text)


def _allure(chromium: Any, file: Path, out: Path) -> None:
    with _screen(chromium, WIDE):
        chromium.get(f"file://{file}")
        _says(chromium, "Sort by")
        _shoot(chromium, out / "allure.png")


def _mitmweb(chromium: Any, address: str, out: Path) -> None:
    with _screen(chromium, WIDE):
        chromium.get(address)
        _says(chromium, "violates")
        chromium.find_element("xpath", "//tr[contains(., 'violates')]/td[contains(@class, 'col-path')]").click()
        _says(chromium, "Verdict: violates")
        _shoot(chromium, out / "web.png")


def main(what: str, out: Path) -> None:
    """Take them."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        chromium: webdriver.Chrome = driver(Path(profile))
        try:
            if "://" in what:
                _mitmweb(chromium, what, out)
                return
            folder = Path(what).resolve()
            _page(chromium, f"file://{folder}/index.html", out)
            if (folder / "allure-report" / "index.html").is_file():
                _allure(chromium, folder / "allure-report" / "index.html", out)
        finally:
            chromium.quit()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
