"""The experiment runner: a config in, a table and figures out.

In the order of the data: `config` reads a TOML file, `trials` expands it and measures one trial,
`runner` runs them all, by `pools` in `processes` or on a `cluster`, `store` keeps what each gave in
a `database`, `compression` ties these together. What the store holds is shown: `series` names its
curves, `statistics` and `comparison` set them beside each other, `tables`, `figures` and `pictures`
show them, `results` writes the folder as `kinds` says, `report` a page for a browser. `estimate`
says how long a run may take, `reproduction` runs committed ones again.
`clustering_speed` and `speed_figures` do the same for engines that are timed, `coding_size`,
`coder_ablation` and `coding_figures` for coders, `classifiers`, `elbow` and `study_figures` for
measures of detail and for k.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
