"""The experiment runner, from a config to a table, figures and a page.

In the order of the data: `schema` defines what a config can say, and `config` reads it. A `kind` of
experiment, one of `kinds`, lists its `trials`: `compression` lists `codec_trials` (whose peak
memory `memory` measures), and each module of `studies` lists its own. `runner` runs them, in
processes or on a `cluster`; `store` keeps their outcomes in a `database`, and `view` selects the
part of it that an experiment shows.

From here on, the outcomes are one table, a pandas DataFrame: `columns` describes columns in
general, and `rows` those of compression. `series` names the curves, `statistics` and `comparison`
compare them with each other, and `published` compares them with a paper. `tables` writes the table,
and `figures` draws it (`bars`, `curves`, `forest`, `pictures`, in one `style`). `findings` holds
all of this; `results` writes the folder with its `environment`, unless its `origin` differs, and
`report` writes the `page` for a browser. `interchange` writes results for other projects and reads
their curves, which `others` draws. `estimate` predicts how long a run takes, `reproduction` reruns
committed experiments, and `first_config` writes a config to start from.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
