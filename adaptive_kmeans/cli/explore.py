"""The command `explore`: the interactive page."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option


def explore(
    images: Annotated[
        list[str] | None,
        Argument(
            metavar="IMAGE",
            help="Images, folders or globs; bundled images are always offered.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        Option(metavar="N", help="Loopback port; if it is in use, another one is taken."),
    ] = None,
    no_browser: Annotated[
        bool, Option("--no-browser", help="Print the address without opening a browser.")
    ] = False,
) -> None:
    """Open a page with sliders: the picture, its bytes and its regions follow the settings.

    The page is served to this machine only, until Ctrl-C. Its address contains a token that is new
    each time.
    """
    from adaptive_kmeans.explorer.images import offers_of
    from adaptive_kmeans.explorer.server import DEFAULT_PORT, Server

    server = Server(offers_of(images or []), DEFAULT_PORT if port is None else port)
    if port not in (None, 0, server.port):
        typer.echo(f"note: port {port} is in use; taking {server.port}", err=True)
    typer.echo(f"exploring at {server.address} (Ctrl-C ends it)")
    if not no_browser:
        import threading
        import webbrowser

        # a text browser returns only once it is closed
        threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
    server.run()
