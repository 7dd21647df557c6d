"""The explorer's page in a real browser: its controls, and what they do to the picture."""

from __future__ import annotations

import io
import re
import signal
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans import image as images
from adaptive_kmeans.datasets import ImageSource
from tests.browser.driving import TIMEOUT_MS, Explorer, Watch, serving

pytest.importorskip("playwright", reason="Playwright is not installed")
pytest.importorskip("starlette", reason="the extra explorer is not installed")

from playwright.sync_api import Browser, BrowserContext, expect

pytestmark = pytest.mark.browser

RESTORED = {"restoration": "auto", "correction": "auto"}
PLAIN = {"restoration": "none", "correction": "none"}
QUALITY = {"image": "crop", "method": "quality", "quality": 60, "restoration": True}
REGULAR = {"image": "crop", "method": "regular", "k": 16, "restoration": False}
REGIONS = {"image": "crop", "method": "regions", "k1": 8, "k2": 32, "restoration": False}


@pytest.mark.parametrize(
    ("state", "key", "value", "settings"),
    [
        (QUALITY, "quality", 30, akm.Settings(quality=30)),
        (QUALITY, "effort", 2, akm.Settings(quality=60, effort=2)),
        (QUALITY, "tune", "psnr", akm.Settings(quality=60, tune="psnr")),
        (QUALITY, "detail", "variance", akm.Settings(quality=60, detail="variance")),
        (QUALITY, "color_space", "ycbcr", akm.Settings(quality=60, color_space="ycbcr")),
        (QUALITY, "restoration", False, akm.Settings(quality=60, **PLAIN)),
        (REGULAR, "k", 5, akm.Settings.regular(5)),
        (REGULAR, "color_space", "lab", akm.Settings.regular(16, color_space="lab")),
        (REGULAR, "dither", "diffusion", akm.Settings.regular(16, dither="diffusion")),
        (REGULAR, "restoration", True, akm.Settings.regular(16, **RESTORED)),
        (REGIONS, "k1", 3, akm.Settings.published(3, 32)),
        (REGIONS, "k2", 64, akm.Settings.published(8, 64)),
        (REGIONS, "block_size", 8, akm.Settings.published(8, 32, block_size=8)),
        (REGIONS, "detail", "variance", akm.Settings.published(8, 32, detail="variance")),
        (REGIONS, "threshold", "mean", akm.Settings.published(8, 32, threshold="mean")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_control_changes_the_file_to_that_of_encode(
    explorer: Explorer, crop: np.ndarray, state: dict, key: str, value: object, settings
) -> None:
    explorer.open(**state)
    before, bytes_before = explorer.pixels("result"), explorer.bytes
    explorer.set(key, value)
    explorer.settle()
    data = akm.encode(crop, settings)
    assert explorer.bytes == len(data) == int(explorer.fact("bytes").replace(",", ""))
    after = explorer.pixels("result")
    np.testing.assert_array_equal(after[..., :3], akm.decode(data))
    assert (after != before).any() or len(data) != bytes_before
    assert explorer.get(key.replace("_", "-")) == str(value).lower()


def test_choosing_a_method_changes_the_controls_and_the_picture(
    explorer: Explorer, crop: np.ndarray
) -> None:
    explorer.open(**{**REGULAR, "k1": 4, "k2": 16})
    expect(explorer.field("k")).to_be_visible()
    expect(explorer.field("k1")).to_be_hidden()
    explorer.choose("Method", "Regions")
    explorer.settle()
    expect(explorer.field("k")).to_be_hidden()
    expect(explorer.field("k1")).to_be_visible()
    assert explorer.bytes == len(akm.encode(crop, akm.Settings.published(4, 16)))


def test_the_slider_of_k_is_logarithmic_and_its_arrows_move_by_one(explorer: Explorer) -> None:
    explorer.open(**REGULAR)
    slider = explorer.field("k").get_by_role("slider")
    slider.press("ArrowRight")
    explorer.expect("k", 17)
    slider.press("ArrowDown")
    slider.press("ArrowDown")
    explorer.expect("k", 15)
    box = slider.bounding_box()
    assert box is not None
    explorer.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert 56 <= int(explorer.get("k")) <= 72  # half of the twelve octaves
    assert slider.get_attribute("aria-valuetext") == explorer.get("k")


def test_a_number_out_of_range_changes_nothing_and_is_taken_back(explorer: Explorer) -> None:
    explorer.open(**REGULAR)
    number = explorer.field("k").get_by_role("spinbutton")
    number.fill("5000")
    explorer.expect("k", 16)
    number.blur()
    expect(number).to_have_value("16")


def test_bytes_are_pending_from_the_moment_that_a_control_moves(explorer: Explorer) -> None:
    explorer.open(**QUALITY)
    shown = (
        explorer.field("quality")
        .get_by_role("slider")
        .evaluate(
            """slider => {
          slider.value = 20;
          slider.dispatchEvent(new Event("input"));
          const root = slider.closest(".akm");
          return [root.dataset.bytes, root.querySelector("[data-fact=bytes]").textContent,
                  root.querySelector("[data-fact=bits_per_pixel]").textContent,
                  root.querySelector("[data-part=indices] .akm-part-bytes").textContent];
        }"""
        )
    )
    assert shown == ["pending", "pending", "–", "–"]
    explorer.settle()


def test_the_picture_follows_a_moving_slider_and_ends_at_the_newest(explorer: Explorer) -> None:
    explorer.open(**{**REGULAR, "image": "chelsea"})
    shown = (
        explorer.field("k")
        .get_by_role("slider")
        .evaluate(
            """async slider => {
          const root = slider.closest(".akm");
          const numbers = [];
          const observer = new MutationObserver(() => numbers.push(Number(root.dataset.number)));
          observer.observe(root, { attributeFilter: ["data-number"] });
          for (let i = 0; i < 600 && numbers.length < 4; i += 1) {
                slider.value = 6 + (i % 100) / 50;
            slider.dispatchEvent(new Event("input"));
            await new Promise(requestAnimationFrame);
          }
          return numbers;
        }"""
        )
    )
    assert len(shown) >= 4  # while it moved, never at rest
    assert shown == sorted(shown)
    explorer.settle()
    assert explorer.page.locator(".akm-swatch").count() == int(explorer.get("k"))


def test_facts_are_those_of_the_file(explorer: Explorer, crop: np.ndarray, crop_file: Path) -> None:
    explorer.open(**QUALITY)
    data = akm.encode(crop, akm.Settings(quality=60))
    decoded = akm.decode(data)
    assert explorer.fact("psnr_db") == f"{akm.psnr(crop, decoded):.2f}"
    assert explorer.fact("ssim") == f"{akm.ssim(crop, decoded):.4f}"
    assert explorer.fact("bits_per_pixel") == f"{akm.bits_per_pixel(data, crop.shape):.3f}"
    assert explorer.fact("compression_ratio") == f"{crop.size / len(data):.1f}"
    assert explorer.fact("ratio_to_input") == f"{crop_file.stat().st_size / len(data):.1f}"
    parts = explorer.page.locator(".akm-part-bytes").all_inner_texts()
    assert sum(int(part.replace(",", "")) for part in parts) == len(data)


def test_swiping_shows_the_original_on_the_left(explorer: Explorer, crop: np.ndarray) -> None:
    explorer.open(**{**REGULAR, "k": 2, "zoom": 4})
    handle = explorer.page.get_by_role("slider", name=re.compile("Swipe"))
    handle.press("Home")
    for _ in range(3):
        handle.press("Shift+ArrowRight")
    explorer.expect("swipe", 0.30000000000000004)
    shot = screen(explorer)
    original, result = crop.reshape(-1, 3), explorer.pixels("result")[..., :3].reshape(-1, 3)
    height, width = shot.shape[:2]
    assert colors(shot[height // 3, : int(width * 0.27)]) <= colors(original)
    assert len(colors(shot[height // 3, : int(width * 0.27)])) > 2  # the result has two
    assert colors(shot[height // 3, int(width * 0.33) :]) <= colors(result)
    box = handle.bounding_box()
    assert box is not None
    explorer.page.mouse.move(box["x"] + 16, box["y"] + 100)
    explorer.page.mouse.down()
    explorer.page.mouse.move(box["x"] + 116, box["y"] + 100)
    explorer.page.mouse.up()
    assert float(explorer.get("swipe")) > 0.35


def test_side_by_side_zooms_both_alike(explorer: Explorer) -> None:
    explorer.open(**REGULAR)
    explorer.choose("Compare", "Side")
    explorer.point_at(0.2, 0.5)
    explorer.page.mouse.wheel(0, -480)
    places = explorer.page.locator(".akm-stage canvas").evaluate_all(
        "all => all.slice(0, 2).map(one => [one.style.width, one.style.transform])"
    )
    assert places[0] == places[1]
    before, after = (
        explorer.page.locator(f".akm-{name}").bounding_box() for name in ("before", "after")
    )
    assert before is not None
    assert after is not None
    assert before["x"] + before["width"] <= after["x"]


def test_the_wheel_zooms_about_the_pointer_and_dragging_pans(explorer: Explorer) -> None:
    explorer.open(**REGULAR)
    explorer.point_at(0.4, 0.45)
    pixel = explorer.pointed_pixel
    explorer.page.mouse.wheel(0, -240)
    explorer.page.mouse.wheel(0, -240)
    assert float(explorer.get("zoom")) == 4
    explorer.page.mouse.move(1, 1)
    explorer.point_at(0.4, 0.45)
    assert explorer.pointed_pixel == pixel
    rendering = explorer.page.locator("canvas.akm-result").evaluate(
        "canvas => getComputedStyle(canvas).imageRendering"
    )
    assert rendering == "pixelated"
    explorer.page.mouse.down()
    explorer.point_at(0.5, 0.5)
    explorer.page.mouse.up()
    assert explorer.pointed_pixel == pixel  # it came along
    explorer.page.get_by_role("button", name="Fit").click()
    explorer.expect("zoom", 1)


def test_two_fingers_zoom(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    watch = Watch(context)
    explorer = Explorer(context.new_page(), address).open(**REGULAR)
    box = explorer.stage.bounding_box()
    assert box is not None
    client = context.new_cdp_session(explorer.page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8

    def touch(kind: str, *spreads: int) -> None:
        points = [{"x": x + spread, "y": y, "id": int(spread > 0)} for spread in spreads]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -30, 30)
    for spread in range(30, 121, 10):
        touch("touchMove", -spread, spread)
    touch("touchEnd")
    assert 3 < float(explorer.get("zoom")) < 5
    context.close()
    assert watch.complaints == []


def test_keys_zoom_pan_and_hold(explorer: Explorer) -> None:
    explorer.open(**REGULAR)
    explorer.choose("Compare", "Hold")
    explorer.stage.focus()
    keyboard = explorer.page.keyboard
    keyboard.press("+")
    keyboard.press("+")
    explorer.expect("zoom", 2.25)
    keyboard.press("ArrowRight")
    assert float(explorer.get("x")) > 0.5
    keyboard.press("ArrowUp")
    assert float(explorer.get("y")) < 0.5
    keyboard.press("-")
    explorer.expect("zoom", 1.5)
    keyboard.press("0")
    explorer.expect("zoom", 1)
    compressed = screen(explorer)
    keyboard.down("Space")
    original = screen(explorer)
    keyboard.up("Space")
    assert (original != compressed).any()
    np.testing.assert_array_equal(screen(explorer), compressed)


def test_the_overlay_of_regions_is_the_region_map(explorer: Explorer, crop: np.ndarray) -> None:
    explorer.open(**REGIONS)
    explorer.choose("Overlay", "Regions")
    regions = akm.quantize(crop, akm.Settings.published(8, 32)).pixel_regions
    overlay = explorer.pixels("overlay")
    np.testing.assert_array_equal(overlay[..., 0], 255 * regions)
    assert (overlay[..., 3] == 255).all()
    opacity = explorer.page.get_by_role("slider", name="Opacity of the overlay")
    opacity.fill("0.3")
    expect(explorer.page.locator("canvas.akm-overlay")).to_have_css("opacity", "0.3")
    explorer.choose("Method", "Regular")
    expect(explorer.page.locator(".akm-legend")).to_contain_text("One codebook")


def test_the_overlay_of_errors_is_brighter_where_errors_are_larger(
    explorer: Explorer, crop: np.ndarray
) -> None:
    explorer.open(**{**REGULAR, "k": 6})
    explorer.choose("Overlay", "Error")
    decoded = akm.decode(akm.encode(crop, akm.Settings.regular(6))).astype(float)
    errors = np.sqrt(((decoded - crop) ** 2).mean(axis=2)).reshape(-1)
    heat = explorer.pixels("overlay")[..., :3].astype(int).sum(axis=2).reshape(-1)
    order = np.argsort(errors)
    assert (np.diff(heat[order]) >= -3).all()  # rounding of three channels
    assert heat.min() < 30 < 300 < heat.max()
    ticks = explorer.page.locator(".akm-ticks span").all_inner_texts()
    top = int(ticks[-1].removeprefix("≥ "))
    assert (errors > top).mean() <= 0.01 < (errors > top / 2).mean()
    expect(explorer.page.locator(".akm-legend")).to_contain_text("levels of 255")


def test_a_swatch_shows_the_pixels_of_its_codeword(explorer: Explorer, crop: np.ndarray) -> None:
    explorer.open(**REGIONS)
    quantized = akm.quantize(crop, akm.Settings.published(8, 32))
    swatches = explorer.page.locator(".akm-swatch")
    assert swatches.count() == sum(map(len, quantized.codebooks))
    swatches.nth(8 + 5).click()
    explorer.expect("codeword", 13)
    explorer.expect("overlay", "codeword")
    mine = (quantized.index_map == 5) & (quantized.pixel_regions == 1)
    red, green, blue = quantized.codebooks[1][5]
    name = swatches.nth(13).get_attribute("aria-label")
    assert name is not None
    assert f"#{red:02x}{green:02x}{blue:02x}" in name
    assert f"{100 * mine.mean():.2f} %" in name
    highlighted = explorer.pixels("overlay")[..., 0] == 255
    np.testing.assert_array_equal(highlighted, mine)
    swatches.nth(13).press("ArrowRight")
    explorer.page.keyboard.press("Enter")
    explorer.expect("codeword", 14)


def test_pointing_highlights_the_codeword_everywhere(explorer: Explorer, crop: np.ndarray) -> None:
    explorer.open(**REGULAR)
    explorer.choose("Overlay", "Codeword")
    explorer.point_at(0.7, 0.5)
    x, y = explorer.pointed_pixel
    index_map = akm.quantize(crop, akm.Settings.regular(16)).index_map
    highlighted = explorer.pixels("overlay")[..., 0] == 255
    np.testing.assert_array_equal(highlighted, index_map == index_map[y, x])
    expect(explorer.page.locator(".akm-swatch.akm-marked")).to_have_attribute(
        "data-place", str(index_map[y, x])
    )


def test_all_of_4096_swatches_are_there_and_named(explorer: Explorer) -> None:
    explorer.open(image="chelsea", method="regular", k=4096, restoration=False)
    swatches = explorer.page.locator(".akm-swatch[aria-label]")
    expect(swatches).to_have_count(4096)
    assert explorer.page.locator('.akm-swatch[tabindex="0"]').count() == 1


def test_every_setting_tried_is_a_point_that_restores_it(explorer: Explorer) -> None:
    explorer.open(**REGULAR)
    explorer.set("k", 4)
    explorer.settle()
    explorer.set("k", 32)
    explorer.settle()
    points = explorer.page.locator(".akm-plot .akm-mark")
    expect(points).to_have_count(3)
    first = explorer.page.get_by_role("button", name=re.compile(r"Regular: k 4 ·"))
    first.focus()
    expect(explorer.page.locator(".akm-plot + .akm-caption")).to_contain_text("k 4 ·")
    explorer.page.keyboard.press("Enter")
    explorer.expect("k", 4)
    explorer.settle()
    expect(points).to_have_count(3)  # the same setting, the same point


def test_lossless_files_are_points_too(explorer: Explorer, tmp_path: Path) -> None:
    explorer.open(**REGULAR)
    flag = np.zeros((40, 60, 3), np.uint8)
    flag[:, 20:40], flag[:, 40:] = 255, (255, 0, 0)
    Image.fromarray(flag).save(tmp_path / "flag.png")
    explorer.page.locator("input[type=file]").set_input_files(tmp_path / "flag.png")
    explorer.expect("original", "flag")
    explorer.settle()
    assert explorer.page.locator('[data-fact="psnr_db"]').inner_text() == "∞"
    explorer.set("k", 2)
    explorer.settle()
    chart = explorer.page.locator(".akm-plot svg").bounding_box()
    marks = explorer.page.locator(".akm-plot .akm-mark")
    assert chart is not None
    assert marks.count() == 2
    for mark in marks.all():
        box = mark.bounding_box()
        assert box is not None
        assert chart["x"] <= box["x"] <= chart["x"] + chart["width"] - box["width"]
        assert chart["y"] <= box["y"] <= chart["y"] + chart["height"] - box["height"]


def test_peers_and_elbow_are_drawn_on_request(explorer: Explorer, crop: np.ndarray) -> None:
    explorer.open(**{**REGULAR, "k": 64})
    explorer.page.get_by_role("button", name="Peers at these bytes").click()
    peers = explorer.page.locator(".akm-peer")
    expect(peers.first).to_be_visible(timeout=TIMEOUT_MS)
    for text in peers.evaluate_all("all => all.map(one => one.getAttribute('aria-label'))"):
        found = re.search(r"([\d,]+) bytes", text)
        assert found is not None
        assert int(found[1].replace(",", "")) <= explorer.bytes
    explorer.page.get_by_role("button", name="Elbow").click()
    elbow = explorer.page.locator(".akm-elbow-plot .akm-mark.akm-current")
    expect(elbow).to_be_visible(timeout=TIMEOUT_MS)
    k = re.search(r"k (\d+)", elbow.get_attribute("aria-label") or "")
    assert k is not None
    elbow.focus()
    explorer.page.keyboard.press("Enter")
    explorer.expect("k", k[1])


def test_the_command_is_copied(explorer: Explorer, crop_file: Path) -> None:
    explorer.open(**REGIONS)
    explorer.page.get_by_role("button", name="Copy command").click()
    expect(explorer.page.locator(".akm-status")).to_have_text("Command copied.")
    command = f"adaptive-kmeans compress {crop_file} crop.akm --k1 8 --k2 32"
    assert explorer.page.evaluate("navigator.clipboard.readText()") == command
    expect(explorer.page.locator(".akm-command")).to_have_value(command)


def test_what_is_downloaded_is_what_is_shown(explorer: Explorer, crop: np.ndarray) -> None:
    explorer.open(**QUALITY)
    data = akm.encode(crop, akm.Settings(quality=60))

    def taken(label: str) -> bytes:
        with explorer.page.expect_download() as download:
            explorer.page.get_by_role("button", name=label, exact=True).click()
        return Path(download.value.path()).read_bytes()

    assert taken("File .akm") == data
    png = np.array(Image.open(io.BytesIO(taken("Decoded PNG"))))
    np.testing.assert_array_equal(png, akm.decode(data))
    codebook = taken("Codebook").decode().splitlines()
    assert len(codebook) == 1 + explorer.page.locator(".akm-swatch").count()
    assert Image.open(io.BytesIO(taken("Index map"))).size == (133, 101)
    methods = tomllib.loads(taken("Config for run").decode())["methods"]
    assert methods == [{"method": "rate-distortion", "quality": [60.0]}]
    explorer.set("restoration", False)
    assert taken("File .akm") == akm.encode(crop, akm.Settings(quality=60, **PLAIN))  # waits


def test_the_picture_is_taken_as_it_is_shown(explorer: Explorer) -> None:
    explorer.open(**{**REGIONS, "zoom": 3, "overlay": "regions", "swipe": 0.4})
    with explorer.page.expect_download() as download:
        explorer.page.get_by_role("button", name="As shown").click()
    assert download.value.suggested_filename == "crop-shown.png"
    taken = np.array(Image.open(download.value.path()).convert("RGB")).astype(int)
    shot = screen(explorer).astype(int)
    assert taken.shape == shot.shape
    same = (np.abs(taken - shot) <= 1).all(axis=2)
    assert same.mean() > 0.93  # but for the handle, the names and the legend


def test_an_image_is_opened_dropped_and_pasted(explorer: Explorer, tmp_path: Path) -> None:
    explorer.open(**REGULAR)
    page = explorer.page
    sides = {"opened": 40, "dropped": 50, "pasted": 60}
    ramp = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8)
    files = {name: images.encode_image(ramp[:side]) for name, side in sides.items()}
    (tmp_path / "opened.png").write_bytes(files["opened"])
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open…").click()
    chooser.value.set_files(tmp_path / "opened.png")
    give = """([kind, name, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
      const event = kind === "drop"
        ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
      document.querySelector(".akm-stage").dispatchEvent(event);
    }"""
    for name in sides:
        kind = {"dropped": "drop", "pasted": "paste"}.get(name)
        if kind is not None:
            page.evaluate(give, [kind, f"{name}.png", list(files[name])])
        explorer.expect("original", name)
        explorer.expect("image", name)
        explorer.settle()
        np.testing.assert_array_equal(explorer.pixels("original")[..., :3], ramp[: sides[name]])
        assert explorer.bytes == len(akm.encode(ramp[: sides[name]], akm.Settings.regular(16)))


def test_a_large_image_is_reduced_which_is_said_and_encoded_whole(
    explorer: Explorer, tmp_path: Path
) -> None:
    explorer.open(**{**REGULAR, "k": 2})
    whole = np.zeros((1600, 1500, 3), dtype=np.uint8)
    whole[:, 700:] = 255
    (tmp_path / "large.png").write_bytes(images.encode_image(whole))
    explorer.page.locator("input[type=file]").set_input_files(tmp_path / "large.png")
    explorer.expect("original", "large")
    explorer.settle()
    expect(explorer.page.locator(".akm-note")).to_contain_text("reduced from 1500×1600")
    height, width = explorer.pixels("original").shape[:2]
    assert 1_900_000 < width * height <= 2_000_000
    explorer.page.get_by_role("button", name="Encode the whole").click()
    size = len(akm.encode(whole, akm.Settings.regular(2)))
    expect(explorer.page.locator(".akm-status")).to_contain_text(
        f"Whole image, 1500 × 1600: {size:,} bytes", timeout=TIMEOUT_MS
    )


def test_two_pages_do_not_disturb_each_other(
    context: BrowserContext, explorer: Explorer, crop: np.ndarray
) -> None:
    explorer.open(**{**REGULAR, "k": 4})
    other = Explorer(context.new_page(), explorer.address).open(**{**REGULAR, "k": 64})
    explorer.page.bring_to_front()
    explorer.set("k", 5)
    explorer.settle()
    assert explorer.bytes == len(akm.encode(crop, akm.Settings.regular(5)))
    assert other.bytes == len(akm.encode(crop, akm.Settings.regular(64)))


def test_what_is_not_an_image_is_refused_in_one_line(explorer: Explorer, tmp_path: Path) -> None:
    explorer.open(**REGULAR)
    (tmp_path / "notes.png").write_bytes(b"not an image")
    explorer.page.locator("input[type=file]").set_input_files(tmp_path / "notes.png")
    status = explorer.page.locator(".akm-status")
    expect(status).to_have_class(re.compile("akm-error"))
    assert explorer.get("error") == status.inner_text()
    assert "\n" not in explorer.get("error")
    explorer.set("k", 8)  # it goes on
    explorer.settle()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    explorer: Explorer, tmp_path: Path
) -> None:
    explorer.open(**REGULAR)
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**25 + 1)
    explorer.page.locator("input[type=file]").set_input_files(tmp_path / "huge.png")
    explorer.expect("error", "huge.png: expected at most 32 MB, received more")
    explorer.expect("connection", "open")


def test_another_image_is_picked(explorer: Explorer) -> None:
    explorer.open(**{**REGULAR, "zoom": 3})
    explorer.page.get_by_role("combobox", name="Image", exact=True).select_option("text")
    explorer.expect("original", "text")
    explorer.settle()
    text = ImageSource("text").load()
    np.testing.assert_array_equal(explorer.pixels("original")[..., :3], text)
    assert explorer.bytes == len(akm.encode(text, akm.Settings.regular(16)))
    explorer.expect("zoom", 1)
    expect(explorer.page.locator(".akm-plot .akm-mark")).to_have_count(1)


def test_the_address_restores_everything(explorer: Explorer) -> None:
    explorer.open(**REGIONS)
    explorer.set("threshold", "mean")
    explorer.choose("Overlay", "Error")
    explorer.choose("Compare", "Side")
    explorer.settle()
    explorer.page.wait_for_timeout(400)  # the address follows a little later
    query = parse_qs(urlsplit(explorer.page.url).query)
    assert query["threshold"] == ["mean"]
    shown = {key: explorer.get(key) for key in ("k1", "threshold", "overlay", "compare", "bytes")}
    explorer.page.reload()
    explorer.settle()
    assert {key: explorer.get(key) for key in shown} == shown


def test_a_bad_address_is_said_and_still_shows_a_picture(explorer: Explorer) -> None:
    explorer.open(image="crop", method="regular", k=5000)
    assert "5000" in explorer.get("error")
    assert explorer.bytes > 0


def test_a_lost_server_is_said_and_found_again(
    context: BrowserContext, crop_file: Path, tmp_path: Path
) -> None:
    watch = Watch(context)
    with serving([crop_file]) as (address, _):
        explorer = Explorer(context.new_page(), address)
        explorer.open(**REGULAR)
        (tmp_path / "mine.png").write_bytes(crop_file.read_bytes())
        explorer.page.locator("input[type=file]").set_input_files(tmp_path / "mine.png")
        explorer.expect("image", "mine")
        explorer.set("k", 9)
        explorer.settle()
        bytes_before = explorer.bytes
        place = explorer.stage.bounding_box()
    banner = explorer.page.locator(".akm-banner")
    expect(banner).to_be_visible(timeout=TIMEOUT_MS)
    expect(banner).to_contain_text("Connection lost")
    explorer.expect("connection", "lost")
    explorer.choose("Compare", "Side")  # looking goes on
    assert explorer.stage.bounding_box() == place
    with serving([crop_file], port=urlsplit(address).port or 0) as (again, _):
        assert again == address
        expect(banner).to_be_hidden(timeout=TIMEOUT_MS)
        explorer.expect("k", 9)
        explorer.expect("compare", "side")
        explorer.expect("image", "mine")  # uploaded again
        explorer.settle()
        assert explorer.bytes == bytes_before
        explorer.page.close()
    assert all("WebSocket connection" in complaint for complaint in watch.complaints)


def test_a_silent_server_is_said(context: BrowserContext, watch: Watch, crop_file: Path) -> None:
    with serving([crop_file]) as (address, server):
        explorer = Explorer(context.new_page(), address).open(**REGULAR)
        server.send_signal(signal.SIGSTOP)
        try:
            explorer.set("k", 20)
            status = explorer.page.locator(".akm-status")
            expect(status).to_contain_text("No answer yet", timeout=TIMEOUT_MS)
        finally:
            server.send_signal(signal.SIGCONT)
        explorer.settle()
        expect(status).to_have_text("")
        explorer.page.close()


def test_memory_is_flat_after_200_moves(explorer: Explorer) -> None:
    explorer.open(**REGULAR)
    client = explorer.page.context.new_cdp_session(explorer.page)
    move = """async slider => {
      const root = slider.closest(".akm");
      for (let i = 0; i < 100; i += 1) {
        const number = root.dataset.number;
        slider.value = 5 + (i % 40) / 20;
        slider.dispatchEvent(new Event("input"));
        for (let wait = 0; wait < 50 && root.dataset.number === number; wait += 1) {
          await new Promise(requestAnimationFrame);
        }
      }
    }"""

    def used() -> int:
        explorer.settle()
        client.send("HeapProfiler.collectGarbage")
        return client.send("Runtime.getHeapUsage")["usedSize"]

    slider = explorer.field("k").get_by_role("slider")
    slider.evaluate(move)
    before = used()
    slider.evaluate(move)
    slider.evaluate(move)
    assert used() - before < 1_500_000


def test_numbers_change_without_moving_anything(explorer: Explorer) -> None:
    explorer.open(**QUALITY)

    def boxes() -> list:
        return explorer.page.locator(".akm section, .akm-fact, .akm-field:visible").evaluate_all(
            "all => all.map(one => Object.values(one.getBoundingClientRect().toJSON()))"
        )

    before = boxes()
    during = (
        explorer.field("quality")
        .get_by_role("slider")
        .evaluate(
            """slider => {
          slider.value = 61;
          slider.dispatchEvent(new Event("input"));
          return [...document.querySelectorAll(".akm section, .akm-fact, .akm-field")]
            .filter(one => one.checkVisibility())
            .map(one => Object.values(one.getBoundingClientRect().toJSON()));
        }"""
        )
    )
    assert during == before
    explorer.settle()
    assert boxes() == before


def test_every_control_has_a_name_and_can_be_reached(explorer: Explorer) -> None:
    explorer.open(**REGIONS)
    nameless = explorer.page.evaluate(
        """() => [...document.querySelectorAll(
          ".akm :is(input, select, button, [role=slider], [role=option], [role=listbox])")]
          .filter(one => !one.hidden && !(one.labels?.length || one.getAttribute("aria-label")
            || one.textContent.trim()))
          .map(one => one.outerHTML)"""
    )
    assert nameless == []
    unreachable = explorer.page.evaluate(
        """() => [...document.querySelectorAll(".akm :is(button, select, input)")]
          .filter(one => one.tabIndex < 0).map(one => one.outerHTML)"""
    )
    assert unreachable == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1920])
def test_the_page_fits_at_any_width(
    explorer: Explorer, shots: Path, width: int, scheme: str
) -> None:
    height = {390: 844, 1024: 768, 1920: 1080}[width]
    explorer.page.set_viewport_size({"width": width, "height": height})
    explorer.page.emulate_media(color_scheme=scheme)
    explorer.open(image="chelsea", method="regions", k1=32, k2=256, restoration=False)
    explorer.page.screenshot(path=shots / f"page-{width}-{scheme}.png", full_page=True)
    across = explorer.page.evaluate("document.scrollingElement.scrollWidth")
    assert across == width
    picture = explorer.page.locator("canvas.akm-result").bounding_box()
    controls = explorer.page.locator(".akm-controls").bounding_box()
    assert picture is not None
    assert controls is not None
    below = controls["y"] >= picture["y"] + picture["height"] - 1
    beside = controls["x"] >= picture["x"] + picture["width"] - 1
    assert below if width == 390 else beside


def screen(explorer: Explorer) -> np.ndarray:
    """Return what the stage looks like: (H, W, 3)."""
    shot = explorer.stage.screenshot()
    return np.array(Image.open(io.BytesIO(shot)).convert("RGB"))


def colors(pixels: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(level) for level in pixel) for pixel in pixels}
