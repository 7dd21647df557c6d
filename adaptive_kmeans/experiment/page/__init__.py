"""The page of an experiment: one self-contained HTML file that makes no requests.

`page.html` is its template, `page.css` its style and `page.js` its script; all of them, with the
figures and the pictures, end up in one file. The tables come from data frames, and their number
formats from the records of their columns.

| module | what it makes |
| --- | --- |
| `answer` | the comparison at equal quality in sentences, or why there is none |
| `cells` | tables that can be sorted, of trials and of summaries |
| `facts` | settings, environment, figures |
| `split` | how the bits of the files divide up |
| `swipe` | the pictures to compare |
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from adaptive_kmeans.experiment import view
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.page import answer, cells, facts, split, swipe
from adaptive_kmeans.experiment.schema import CompressionConfig

HERE = Path(__file__).parent


def render(folder: Path, seen: view.Seen) -> str:
    """Return the page of an experiment.

    Parameters
    ----------
    folder : Path
        The folder of its results, with the figures and `environment.json`.
    seen : Seen
        Its config, and the outcomes of its trials.
    """
    found = seen.findings
    answered, parts = None, None
    if isinstance(seen.config, CompressionConfig) and found.compared is not None:
        answered = answer.answer(found.table, found.compared, seen.config.figures.anchor)
        parts = split.split(found.table)
    environment = facts.read_environment(folder)
    jinja = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return jinja.get_template("page.html").render(
        style=_own("page.css"),
        script=_own("page.js"),
        long=cells.LONG,
        config=seen.config,
        counts=facts.counts(seen, found.table, environment),
        answer=answered,
        summaries=[table for each in found.summaries.values() for table in cells.of_summary(each)],
        failures=[str(failure) for failure in seen.failures],
        swipe=swipe.swipe(found.pictures()),
        parts=parts,
        figures=facts.figures(folder / "figures"),
        trials=cells.of_table(found.table, KINDS[seen.config.kind].columns),
        settings=facts.settings(seen.config),
        methods=facts.methods(seen.config),
        environment=facts.readable_environment(environment),
    )


def _own(name: str) -> Markup:
    """Return a file of this package as markup, which is not escaped."""
    return Markup((HERE / name).read_text("utf-8"))  # noqa: S704
