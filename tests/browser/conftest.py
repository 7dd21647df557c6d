"""A browser for the tests of a module, and pages of which nothing bad may be heard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from adaptive_kmeans import image
from adaptive_kmeans.datasets import ImageSource
from tests.browser.driving import Explorer, Watch, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    watch = Watch(context)
    yield watch
    assert watch.complaints == []


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    """A part of a photograph that is coded at once, with odd sides: (101, 133, 3)."""
    return np.ascontiguousarray(ImageSource("chelsea").load()[90:191, 120:253])


@pytest.fixture(scope="module")
def crop_file(crop: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "crop.png"
    path.write_bytes(image.encode_image(crop))
    return path


@pytest.fixture(scope="module")
def address(crop_file: Path) -> Iterator[str]:
    with serving([crop_file]) as (address, _):
        yield address


@pytest.fixture
def explorer(context: BrowserContext, watch: Watch, address: str) -> Explorer:
    return Explorer(context.new_page(), address)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go: a folder of the environment, or a temporary one."""
    folder = Path(os.environ.get("ADAPTIVE_KMEANS_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
