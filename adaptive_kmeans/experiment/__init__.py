"""The experiment runner: a config in, a table, figures and a page out.

In the order of the data: `schema` is what a config can say, `config` reads it. A `kind` of
experiment, one of `kinds`, lists its `trials`: `compression` lists `codec_trials` (`memory`
measures their peak), and each module of `studies` its own. `runner` runs them all, in processes or
on a `cluster`; `store` keeps what each gave in a `database`, and `view` is what an experiment shows
of it.

What the trials gave is one table, a pandas DataFrame, from here on: `columns` says what is known of
a column, `rows` are those of compression. `series` names its curves, `statistics` and `comparison`
set them beside each other, `published` beside what a paper says; `tables` writes it, `figures`
draws it (`bars`, `curves`, `forest`, `pictures`, in one `style`). `findings` is all of that,
`results` writes the folder with its `environment`, unless its `origin` is another, and `report` the
`page` for a browser. `interchange` writes it for other projects, and reads curves of theirs, which
`others` draws. `estimate` says how long a run may take, `reproduction` runs committed ones again,
and `first_config` writes a config to start from.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
