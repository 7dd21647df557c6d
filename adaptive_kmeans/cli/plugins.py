"""The names that installed packages add, at the end of --help."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from adaptive_kmeans.registry import FAMILIES, installed

COMMANDS = ("compress", "compare", "run")
"""Commands that use members of the families."""


class Command(TyperCommand):
    """A command whose --help ends with the names that installed packages add."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the names; they are looked up only now, and nothing is imported."""
        super().format_epilog(ctx, formatter)
        if self.name not in COMMANDS:
            return
        found = {option: ", ".join(installed(family)) for family, option in FAMILIES.items()}
        added = [(option, names) for option, names in found.items() if names]
        if added:
            with formatter.section("Plug-ins"):
                formatter.write_dl(added)
