"""The explorer: move a slider and see the picture, the bytes and the regions.

One front end, an ES module and a style sheet, has two hosts: a page that a small server on the
loopback interface serves to a browser, and a widget in a notebook. Both only carry messages::

    explorer.js ─┬─ page.js ─ WebSocket ─ server ─┬─ session ─ state + image ─ picture
                 └─ anywidget ─ comm ─ widget ────┘     └───── takeaway

=============== ===================================================================================
`state`         the explorer's settings, as one value
`images`        the images that it offers: given ones, bundled ones, uploads
`picture`       the function from state and image to a picture, and to a file with its facts
`session`       one user's session; takes messages, sends answers; the newest setting wins
`peers`         other codecs at the same file size, and the elbow
`takeaway`      the command line, the config and the files to take away
`server`        the host of the page
`widget`        the host in a notebook
=============== ===================================================================================

A message is a JSON object with a ``type``, and zero or more buffers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adaptive_kmeans.errors import MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from adaptive_kmeans.explorer.widget import ExplorerWidget


def missing_extra(error: ImportError) -> MissingDependencyError:
    """Return the error that names the extra, for a library of it that is not installed."""
    expected = "it to be installed: pip install 'adaptive-kmeans[explorer]'"
    return MissingDependencyError("explorer", expected, str(error))


def explore(
    image: npt.NDArray[np.uint8] | str | Path | None = None, **settings: Any
) -> ExplorerWidget:
    """Explore an image in a notebook: a widget for Jupyter, VS Code, Colab and marimo.

    Parameters
    ----------
    image : (H, W, 3) uint8, str or Path, optional
        Pixels, a file, a folder or glob of images, or the name of a bundled image. The bundled
        images are offered as well.
    **settings
        Initial settings of the widget: parameters of
        `adaptive_kmeans.explorer.state.ExplorerState`, such as ``k=16``. Unless given, the method
        follows from the others.

    Raises
    ------
    MissingDependencyError
        The extra ``explorer`` is not installed.
    ConfigError, UnknownNameError
        A setting cannot be used, or no image has that name.
    ImageError, LimitError, ReadError
        The image cannot be used.

    Examples
    --------
    >>> widget = explore("chelsea", k1=8, k2=32)
    >>> widget.session.state.method
    'regions'
    """
    from adaptive_kmeans.explorer.widget import explore_in_widget

    return explore_in_widget(image, settings)
