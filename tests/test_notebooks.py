"""Notebooks: stored small, with the outputs that a fresh kernel gives."""

import re
from itertools import chain

import pytest

from tests.run_notebooks import FOLDER, KERNEL, NAMES, execute, load, texts

MAX_BYTES = 400_000


@pytest.mark.notebook
@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_kernel_gives_the_stored_text_outputs(name):
    if "akm.explore(" in (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"):
        pytest.importorskip("anywidget")
    assert texts(execute(name)) == texts(load(name)), (
        f"run python -m tests.run_notebooks {name}, and look at what changed"
    )


def test_every_lesson_is_there():
    assert NAMES == ["explore", "kmeans_from_scratch", "regions"]


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_stored_small_and_executed_in_order(name):
    notebook = load(name)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MAX_BYTES
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_hold_nothing_of_the_machine_that_ran_them(name):
    notebook = load(name)
    assert notebook.metadata == KERNEL
    assert all(not cell.metadata for cell in notebook.cells)
    for text in chain.from_iterable(texts(notebook)):
        assert not re.search(r"0x[0-9a-f]{6,}|/(home|root|tmp|opt|usr)/|^stderr|Warning", text)


@pytest.mark.parametrize("name", NAMES)
def test_links_of_notebooks_lead_somewhere(name):
    text = "\n".join(cell.source for cell in load(name).cells if cell.cell_type == "markdown")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if ":" not in target]
    assert targets
    assert all((FOLDER / target).exists() for target in targets)


def test_the_solutions_of_the_exercises_are_right():
    assert texts(load("kmeans_from_scratch"))[-1] == ["('right', 'right', 'right')"]
