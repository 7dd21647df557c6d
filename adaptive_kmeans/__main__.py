"""The command `adaptive-kmeans`, also as ``python -m adaptive_kmeans``.

It starts here, with as few imports as possible, so that an interrupt while the rest loads ends it
with one line: nothing is open yet.
"""

import os
import signal


def main() -> None:
    """Load the command line and run it."""
    signal.signal(signal.SIGINT, _end)
    from adaptive_kmeans.cli import main as run

    try:
        run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # only Python's own shutdown is left


def _end(*_: object) -> None:
    os.write(2, b"adaptive-kmeans: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
