"""The experiment runner: a config in, a table and figures out.

In the order of the data: `schema` is what a config can say, `config` reads it. Its kind, one of
`kinds`, lists its `trials`: `compression` lists `codec_trials` (`memory` measures their peak),
which make `rows`, and `studies`, a module each, list their own. `runner` runs them all, in
processes or on a `cluster`; `store` keeps what each gave in a `database`; `view` is what an
experiment shows of it.

What the trials gave is shown: `series` names its curves, `statistics` and `comparison` set them
beside each other, `published` beside what a paper says; `tables` writes them, `figures` draws them
(`bars`, `curves`, `pictures`, in one `style`). `findings` collects that, `results` writes the
folder with its `environment`, unless its `origin` is another, and `report` a page for a browser.
`interchange` writes it for other projects, and reads curves of theirs, which `others` draws.
`estimate` says how long a run may take, `reproduction` runs committed ones again.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
