"""The experiment runner: a config in, a table and figures out.

In the order of the data: `schema` is what a config can say, `config` reads it. `trials` expands it
and measures one trial (`memory` its peak), which makes one of the `rows`; `runner` runs them all,
by `pools` in `processes` or on a `cluster`; `store` keeps what each gave in a `database`;
`compression` ties these together.

What the store holds is shown: `series` names its curves, `statistics` and `comparison` set them
beside each other, `published` beside what a paper says; `tables` writes them, `figures` draws them
(`bars`, `curves`, `pictures`, in one `style`). `findings` collects that, `results` writes the
folder with its `environment`, `report` a page for a browser. `estimate` says how long a run may
take, `reproduction` runs committed ones again.

Experiments that make no trials of image × setting are `studies`, a module each.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
