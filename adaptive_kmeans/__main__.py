"""``python -m adaptive_kmeans`` is the command line."""

from adaptive_kmeans.cli import main

if __name__ == "__main__":
    main()
