"""The experiment runner: a config in, a table and figures out.

In the order of the data: `config` reads a TOML file, `trials` expands it and measures one trial,
`runner` runs them all, `tables` and `figures` show them, `results` writes the folder.
"""

from __future__ import annotations

from adaptive_kmeans.experiment.results import run_experiment

__all__ = ["run_experiment"]
