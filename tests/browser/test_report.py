"""The page of an experiment in a real browser: tables that sort and filter, pictures that zoom."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.driving import Watch
from tests.pages import picture, render, row, rows

pytest.importorskip("playwright", reason="Playwright is not installed")

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

pytestmark = pytest.mark.browser

RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 200, 0)
PICTURES = [
    picture("a, original", "", RED, None),
    picture("regular, k = 8", "regular", BLUE, 1234),
    picture("regular, k = 16", "regular", GREEN, 2345),
]


@pytest.fixture
def report(context: BrowserContext, watch: Watch, tmp_path: Path) -> Page:
    page = context.new_page()
    page.set_content(render(tmp_path, rows(), pictures=PICTURES))
    return page


def column(page: Page, name: str) -> list[str]:
    """Return the cells of a column of the table of trials that are shown, from the top."""
    place = page.locator("#trials th").all_inner_texts().index(name)
    cells = page.locator(f"#trials tbody tr:not(.space) td:nth-child({place + 1})")
    return cells.all_inner_texts()


def head(page: Page, name: str) -> Locator:
    return page.locator("#trials th").filter(has=page.get_by_role("button", name=name, exact=True))


def test_a_click_and_a_key_sort_by_a_column(report: Page) -> None:
    head(report, "bytes").get_by_role("button").click()
    shown = [int(text.replace(",", "")) for text in column(report, "bytes")]
    assert shown == sorted(each["bytes"] for each in rows())
    expect(head(report, "bytes")).to_have_attribute("aria-sort", "ascending")
    button = head(report, "k").get_by_role("button")
    button.focus()
    button.press("Enter")
    button.press("Enter")
    expect(head(report, "k")).to_have_attribute("aria-sort", "descending")
    expect(head(report, "bytes")).to_have_attribute("aria-sort", "none")
    # 64, 32, 16, 8 on three images, then the files without a k.
    assert column(report, "k") == [*(["64"] * 3 + ["32"] * 3 + ["16"] * 3 + ["8"] * 3), *[""] * 12]


def test_the_filter_keeps_rows_that_have_all_words(report: Page) -> None:
    report.locator("#filter").fill("RATE-dist 36.0")
    assert column(report, "method") == ["rate-distortion"] * 3
    expect(report.locator("#shown")).to_have_text("3 of 24 rows")
    report.locator("#filter").fill("")
    assert len(column(report, "method")) == 24


def test_a_long_table_shows_what_is_in_sight_of_all_rows(
    context: BrowserContext, watch: Watch, tmp_path: Path
) -> None:
    sizes = np.random.default_rng(0).permutation(3000) + 100
    many = [row(f"i{n}", "regular", 8, int(size), 30.0) for n, size in enumerate(sizes)]
    page = context.new_page()
    page.set_content(render(tmp_path, many))
    assert page.locator("#trials tbody tr").count() < 300
    head(page, "bytes").get_by_role("button").click()
    assert column(page, "bytes")[:3] == ["100", "101", "102"]
    page.locator("#trials .scroll").evaluate("box => box.scrollTop = box.scrollHeight")
    expect(page.locator("#trials tbody")).to_contain_text("3,099")
    page.locator("#filter").fill("i77")
    expect(page.locator("#shown")).to_have_text("11 of 3,000 rows")


def stage(page: Page) -> Locator:
    return page.locator(".stage")


def colors(page: Page) -> list[tuple[int, ...]]:
    """Return the colors a quarter from the left and from the right of the middle of the stage."""
    shot = np.asarray(Image.open(io.BytesIO(stage(page).screenshot())).convert("RGB"))
    high, wide = shot.shape[:2]
    side = 4 * 20 // 2
    return [tuple(map(int, shot[high // 4, wide // 2 + x])) for x in (-side, side)]


def test_any_two_pictures_are_compared_with_their_sizes(report: Page) -> None:
    assert colors(report) == [RED, BLUE]
    report.locator("#left").select_option(label="regular, k = 16")
    assert colors(report) == [GREEN, BLUE]
    expect(report.locator("#left-facts")).to_have_text(
        "2,345 bytes, 1.876 bits per pixel, 31.500 dB"
    )
    expect(report.locator("#right-facts")).to_contain_text("1,234 bytes")


def test_the_line_moves_by_keys_and_by_drag(report: Page) -> None:
    handle = report.get_by_role("slider")
    handle.press("Home")
    expect(handle).to_have_attribute("aria-valuenow", "0")
    assert colors(report) == [BLUE, BLUE]
    for _ in range(3):
        handle.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "6")
    handle.press("End")
    assert colors(report) == [RED, RED]
    box = stage(report).bounding_box()
    assert box is not None
    report.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    report.mouse.down()
    report.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=3)
    report.mouse.up()
    expect(handle).to_have_attribute("aria-valuenow", "50")
    assert stage(report).get_attribute("data-place") == "20,10"  # the picture has not moved


def test_the_line_moves_by_touch(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.set_content(render(tmp_path, rows(), pictures=PICTURES))
    stage(page).scroll_into_view_if_needed()
    box = stage(page).bounding_box()
    assert box is not None
    client = context.new_cdp_session(page)
    middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, x in (("touchStart", middle), ("touchMove", middle - 30), ("touchMove", box["x"])):
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "0")
    context.close()


def test_zoom_goes_up_to_8_by_buttons_keys_and_wheel(report: Page) -> None:
    zoom = report.locator("#zoom")
    expect(zoom).to_have_text("8×")  # a small picture is enlarged as far as it goes
    report.get_by_role("button", name="Zoom out").click()
    expect(zoom).to_have_text("7×")
    stage(report).press("-")
    expect(zoom).to_have_text("6×")
    box = stage(report).bounding_box()
    assert box is not None
    report.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    for _ in range(9):
        report.mouse.wheel(0, 100)
    expect(zoom).to_have_text("1×")
    for _ in range(9):
        report.get_by_role("button", name="Zoom in").click()
    expect(zoom).to_have_text("8×")
    rendering = "image => getComputedStyle(image).imageRendering"
    assert report.locator(".stage img.left").evaluate(rendering) == "pixelated"


def test_a_picture_larger_than_the_stage_is_moved_by_drag(
    context: BrowserContext, watch: Watch, tmp_path: Path
) -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    page = context.new_page()
    large = [each._replace(pixels=lambda: pixels) for each in PICTURES]
    page.set_content(render(tmp_path, rows(), pictures=large))
    while page.locator("#zoom").inner_text() != "8×":
        stage(page).press("+")
    assert stage(page).get_attribute("data-place") == "100,50"
    box = stage(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 34, steps=4)
    page.mouse.up()
    assert stage(page).get_attribute("data-place") == "110,52"
    stage(page).press("ArrowLeft")
    assert stage(page).get_attribute("data-place") != "110,52"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1920])
def test_the_page_fits_its_width(
    browser: Browser, tmp_path: Path, shots: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.set_content(render(tmp_path, rows(), pictures=PICTURES))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    page.screenshot(path=shots / f"report-{width}-{scheme}.png", full_page=True)
    context.close()
