"""Notebooks: executed in a fresh kernel, stored without times, widgets or traces of the machine.

``python -m tests.run_notebooks [NAME...]`` executes the notebooks of ``experiments/notebooks/`` and
stores them with their outputs.
"""

import base64
import io
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "experiments" / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
PHOTOGRAPH_COLORS = 5000
"""A figure of more colors shows a photograph, and keeps them; the others get a palette."""
WIDGET = "application/vnd.jupyter.widget-view+json"
"""The output of a widget, which is dead without its kernel."""
TIMEOUT_S = 300
"""For one cell, on a machine where the kernels are not yet compiled."""

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python"},
}


def load(name: str) -> nbformat.NotebookNode:
    """Read a stored notebook."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def execute(name: str) -> nbformat.NotebookNode:
    """Execute a notebook in a fresh kernel and an empty folder; an error in a cell raises."""
    notebook = load(name)
    search_path = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*search_path, str(ROOT)])}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute(env=environment)
    notebook.metadata = nbformat.from_dict(KERNEL)
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if WIDGET not in each.get("data", {})]
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _smaller(output.data["image/png"])
    return notebook


def _smaller(encoded: str) -> str:
    """Store a PNG without its empty alpha channel, a drawing with a palette."""
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as figure:
        pixels = figure.convert("RGB")
    if pixels.getcolors(PHOTOGRAPH_COLORS):
        pixels = pixels.quantize(256, dither=Image.Dither.NONE)
    stored = io.BytesIO()
    pixels.save(stored, "png", optimize=True)
    return base64.b64encode(stored.getvalue()).decode()


def texts(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Return the text of each code cell's outputs; a figure counts as its size."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[_text(output) for output in cell.outputs] for cell in cells]


def _text(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return f"{output.name}: {output.text}"
    return output.data.get("text/markdown", output.data.get("text/plain", ""))


def main(names: list[str]) -> None:
    """Execute notebooks and store them."""
    for name in names or NAMES:
        nbformat.write(execute(name), FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1:])
