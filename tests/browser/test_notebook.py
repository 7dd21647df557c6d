"""The explorer as a widget in a real JupyterLab: the same module, over a comm."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import adaptive_kmeans as akm
from adaptive_kmeans.datasets import ImageSource
from tests.browser.driving import TIMEOUT_MS, Explorer, Watch

pytest.importorskip("playwright", reason="Playwright is not installed")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
pytest.importorskip("anywidget", reason="the extra explorer is not installed")

from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

CELL = "import adaptive_kmeans as akm\nakm.explore('chelsea', k=16)"
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "explore",
            "metadata": {},
            "outputs": [],
            "source": CELL,
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


@contextlib.contextmanager
def jupyter_lab(folder: Path, settings: Path) -> Iterator[str]:
    """Run JupyterLab on the loopback; give its address, with the token."""
    token = secrets.token_hex(16)
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(settings / "config"),
        "JUPYTER_DATA_DIR": str(settings / "data"),
        "JUPYTER_RUNTIME_DIR": str(settings / "runtime"),
        "IPYTHONDIR": str(settings / "ipython"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (settings / "config" / "labconfig").mkdir(parents=True)
    (settings / "config" / "labconfig" / "page_config.json").write_text(json.dumps(quiet))
    log = settings / "lab.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--ServerApp.port_retries=0"),
                f"--IdentityProvider.token={token}",
                f"--ServerApp.root_dir={folder}",
                "--LabApp.extension_manager=readonly",
            ],
            stdout=output,
            stderr=output,
            env=environment,
        )
        try:
            yield _address(process, log, token)
        finally:
            process.terminate()
            process.wait(30)


def _address(process: subprocess.Popen[bytes], log: Path, token: str) -> str:
    """Wait until JupyterLab answers."""
    for _ in range(240):
        assert process.poll() is None, log.read_text()
        found = re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())
        if found is not None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{found[0]}api?token={token}", timeout=5).close()  # noqa: S310
                return f"{found[0]}lab/tree/explore.ipynb?token={token}"
        time.sleep(0.25)
    raise AssertionError(log.read_text())


def _run_cell(page: Page, explorer: Explorer) -> None:
    """Run the notebook's cell until its widget is there.

    JupyterLab drops a run while it connects to the kernel, even to one that it calls idle: the
    cell's prompt is empty again then.
    """
    cell = page.locator(".jp-CodeCell").first
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while time.monotonic() < deadline:
        if cell.locator(".jp-InputPrompt").inner_text(timeout=TIMEOUT_MS) == "[ ]:":
            cell.locator(".cm-content").click()
            page.keyboard.press("Shift+Enter")
        with contextlib.suppress(PlaywrightTimeoutError):
            return explorer.root.wait_for(timeout=5_000)
    raise AssertionError(f"no widget; the page says: {page.locator('body').inner_text()}")


def test_the_widget_works_in_jupyterlab(
    context: BrowserContext, tmp_path: Path, shots: Path
) -> None:
    folder, settings = tmp_path / "notebooks", tmp_path / "jupyter"
    folder.mkdir()
    (folder / "explore.ipynb").write_text(json.dumps(NOTEBOOK))
    watch = Watch(context)
    with jupyter_lab(folder, settings) as address:
        page = context.new_page()
        page.set_viewport_size({"width": 1440, "height": 1000})
        page.goto(address)
        explorer = Explorer(page)
        _run_cell(page, explorer)
        explorer.settle()
        url = page.url

        image = ImageSource("chelsea").load()
        before = explorer.pixels("result")
        assert explorer.bytes == len(akm.encode(image, akm.Settings.regular(16)))

        slider = explorer.field("k").get_by_role("slider")
        slider.press("ArrowRight")
        explorer.expect("k", 17)
        explorer.settle()
        data = akm.encode(image, akm.Settings.regular(17))
        assert explorer.bytes == len(data)
        after = explorer.pixels("result")
        np.testing.assert_array_equal(after[..., :3], akm.decode(data))
        assert (after != before).any()

        explorer.stage.focus()
        page.keyboard.press("+")
        explorer.expect("zoom", 1.5)
        page.keyboard.press("0")
        page.screenshot(path=shots / "notebook.png")
        facts = page.locator(".akm-fact").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().top)"
        )
        assert len(set(facts)) == 2  # rows: JupyterLab styles lists, and must not style these

        page.locator('[data-save="codebook"]').click()
        expect(page.locator(".akm-status")).to_contain_text("Saved")
        saved = list(folder.glob("*codebook*.csv"))
        assert len(saved) == 1
        rows = saved[0].read_text().splitlines()[1:]
        codebook = akm.quantize(image, akm.Settings.regular(17)).codebooks[0]
        assert [[int(v) for v in row.split(",")[2:5]] for row in rows] == codebook.tolist()
        assert page.url == url  # the notebook's address is its own
        page.close()
    assert [text for text in watch.complaints if "akm" in text or "asked for" in text] == []
