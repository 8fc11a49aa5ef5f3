"""The report page as a person uses it: from the drawing to a failing case's evidence, by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from harness.model.record import Response
from harness.run.page_guide import guide
from harness.writers import page, record
from tools.benchmarks.page import numbered

HOSTILE = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>\u2028"


def _open(chromium: Any, folder: Path, fragment: str = "") -> float:
    """Opens the page; milliseconds until everything stood there."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get(f"file://{folder}/index.html{fragment}")
    return float(_when(chromium, "document.documentElement.dataset.ready"))


def _when(chromium: Any, wanted: str) -> Any:
    """What the JavaScript expression *wanted* is, as soon as the page has changed so that it is true."""
    chromium.set_script_timeout(20)
    return chromium.execute_async_script(f"""
        const done = arguments[0], found = () => {wanted};
        if (found()) {{ done(found()); return; }}
        const observer = new MutationObserver(() => {{ if (found()) {{ observer.disconnect(); done(found()); }} }});
        const all = {{attributes: true, childList: true, subtree: true, characterData: true}};
        observer.observe(document.documentElement, all);
    """)


def _text(chromium: Any, selector: str) -> str:
    text: str = chromium.find_element("css selector", selector).text
    return text


def test_nothing_is_complained_of_and_nothing_is_loaded(chromium: Any, report: Path) -> None:
    _open(chromium, report)
    assert chromium.get_log("browser") == []
    assert chromium.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_the_counts_are_the_records(chromium: Any, report: Path, lines: list[dict[str, Any]]) -> None:
    _open(chromium, report)
    header, footer = lines[0], lines[-1]
    left_out = len(header["skipped"]) + len(header["withheld"])
    judged = footer["cases"]
    assert _text(chromium, "#told") == f"{judged} in this run, {left_out} withheld or skipped"
    rows = chromium.find_elements("css selector", ".counts tbody tr")
    shown = {row.find_element("css selector", "a").text.split()[-1]: row.text.split() for row in rows}
    numbers = {name: sum(int(cell) for cell in cells if cell.isdigit()) for name, cells in shown.items()}
    assert {name: numbers[name] for name in footer["outcomes"]} == footer["outcomes"]


def test_from_the_drawing_to_the_evidence_of_a_failing_case(chromium: Any, report: Path) -> None:
    _open(chromium, report)
    chromium.find_element("css selector", ".drawing:not([hidden]) .lane a").click()
    flow = _when(chromium, "document.querySelector('#filters [name=flow]').value")
    listed = chromium.find_elements("css selector", "#list .id")
    assert listed and all(item.text.split("/")[2] == flow for item in listed)
    first = chromium.find_element("css selector", "#list button")
    assert "FAIL" in first.text
    first.click()
    _when(chromium, "document.querySelector('#list .case h3')")
    message = _text(chromium, "#list .case")
    for part in (
        "What was sent",
        "What came back",
        "What the server saw",
        "why it matters",
        "clause",
        "hopproof replay",
    ):
        assert part in message, part
    assert first.text.split("/")[5].split()[0] in message and '"claims"' in message and "signature left out" in message


def test_each_posture_has_its_drawing(chromium: Any, report: Path) -> None:
    _open(chromium, report)
    chromium.find_element("xpath", "//button[text()='jwt']").click()
    shown = [item.text for item in chromium.find_elements("css selector", ".drawing") if item.is_displayed()]
    assert len(shown) == 1 and "client verified by: JWT" in shown[0] and "readable here" in shown[0]
    assert "jwt" in chromium.find_element("css selector", ".tabs [aria-pressed=true]").text
    chromium.find_element("xpath", "//button[text()='tls-only']").click()
    shown = [item.text for item in chromium.find_elements("css selector", ".drawing") if item.is_displayed()]
    assert len(shown) == 1 and "client verified by: nobody" in shown[0] and "client verified by: JWT" not in shown[0]


def test_a_cell_leads_to_its_cases(chromium: Any, report: Path) -> None:
    _open(chromium, report)
    # Of a requirement with several cells: one alone would lead to the same cases by its requirement.
    several = "//table[@class='matrix']//tr[count(td//a) > 1]//a[contains(@class, 'o-FAIL')]"
    cell = chromium.find_element("xpath", several)
    requested = cell.text.split()[1].split("/")
    chromium.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    cell.click()
    _when(chromium, "document.querySelector('#filters [name=requirement]').value")
    entries = [item.text for item in chromium.find_elements("css selector", "#list li")]
    assert len(entries) == int(requested[1])
    assert sum("PASS" in text for text in entries) == int(requested[0])


def test_what_was_skipped_can_be_reached(chromium: Any, report: Path, lines: list[dict[str, Any]]) -> None:
    _open(chromium, report, "#outcome=skipped")
    assert _text(chromium, "#told").startswith(f"0 in this run, {len(lines[0]['skipped'])} withheld or skipped")
    assert "the window was too short" in _text(chromium, "#list li")


def test_a_case_can_be_linked_to(chromium: Any, report: Path, lines: list[dict[str, Any]]) -> None:
    last = max(line["case"] for line in lines[1:-1] if line["outcome"] == "PASS")
    _open(chromium, report, f"#case={last}")
    focused = chromium.switch_to.active_element
    assert focused.tag_name == "button" and last in focused.text
    assert "What came back" in _text(chromium, "#list .case") or "beside" in _text(chromium, "#list .case")


def test_by_keyboard_alone(chromium: Any, report: Path) -> None:
    _open(chromium, report)
    chromium.find_element("css selector", "#filters [name=q]").send_keys("exp-past")
    _when(chromium, "[...document.querySelectorAll('#list .id')].every(item => item.textContent.includes('exp-past'))")
    button = chromium.find_element("css selector", "#list button")
    button.send_keys(Keys.ENTER)
    _when(chromium, "document.querySelector('#list .case h3')")
    assert button.get_attribute("aria-expanded") == "true"
    assert all("exp-past" in item.text for item in chromium.find_elements("css selector", "#list li > button"))
    button.send_keys(Keys.ENTER)
    _when(chromium, "!document.querySelector('#list .case')")
    assert button.get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize(
    ("width", "dark", "medium"), [(1360, True, "screen"), (390, False, "screen"), (718, False, "print")]
)
def test_dark_and_narrow_and_on_paper(chromium: Any, report: Path, width: int, dark: bool, medium: str) -> None:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media, "media": medium})
    try:
        _open(chromium, report)
        background = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (background != "rgb(255, 255, 255)") is dark
        # Not innerWidth: on a telephone that grows with what stands out.
        wide = chromium.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{wide - width} pixels stand out to the right"
    finally:
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [], "media": ""})
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_strings_do_nothing(chromium: Any, report: Path, tmp_path: Path) -> None:
    header, rows, footer = record.read(report)
    answer: Response = {"status": 200, "headers": [["server", HOSTILE]], "body": HOSTILE}
    for row in rows[:50]:
        row["reason"], row["outcome"] = HOSTILE, "FAIL"
        row["evidence"] = {"client": {"response": answer}, "lab_fault": HOSTILE}
    page.write(tmp_path, {**header, "target": HOSTILE}, rows, {**footer, "trouble": [HOSTILE]}, guide())
    _open(chromium, tmp_path)
    for button in chromium.find_elements("css selector", "#list li > button")[:3]:
        chromium.execute_script("arguments[0].click()", button)
    _when(chromium, "document.querySelectorAll('#list .case').length === 3")
    assert chromium.title.startswith("Hopproof: ") and "owned'" in chromium.title
    assert chromium.find_elements("css selector", "img") == []
    assert HOSTILE.strip() in _text(chromium, "#list .case")


def test_thirty_thousand_rows_open_within_two_seconds_and_filter_at_once(
    chromium: Any, report: Path, tmp_path: Path
) -> None:
    header, rows, footer = record.read(report)
    many = [numbered(row, n) for n in range(60) for row in rows][:30_000]
    page.write(tmp_path, {**header, "planned": [row["case"] for row in many]}, many, footer, guide())
    assert min(_open(chromium, tmp_path) for _ in range(3)) < 2000
    took = chromium.execute_script(
        "const t = performance.now(); show({outcome: 'FAIL'}); document.body.offsetHeight; return performance.now() - t"
    )
    assert took < 200, f"{took} ms"
