"""Golden files: small made images, written once by each coder and never again.

``python -m tests.make_golden CODER`` writes the files of a coder into ``tests/golden/``, unless it
has some there, ``restored`` in its place those of every filter and correction, ``quality`` one at
quality 30, ``alpha`` one with alpha of every coder, and ``metadata`` one with EXIF and XMP: what
cannot read a golden file is broken, not the file.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.codec import Settings, encode
from adaptive_kmeans.container import CORRECTION, FILTER, Section, with_metadata, write
from adaptive_kmeans.luma import luma_order
from adaptive_kmeans.metadata import Metadata
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.restoration.correction import BLOCKS, Correction
from adaptive_kmeans.restoration.wiener import FORMS, OWN, Filter, Form

ALPHA_CODERS = ("fixed-length", "deflate", "context-mixing", "context-mixing:fast")
METADATA = Metadata(
    exif=b"II*\0\x08\0\0\0\1\0\x0f\1\2\0\4\0\0\0Axe\0\0\0\0\0",
    xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + b" " * 99 + b"</x:xmpmeta>",
)
"""EXIF that is shorter as it is, and XMP that is shorter deflated."""
FOLDER = Path(__file__).parent / "golden"


def made_images() -> dict[str, tuple[Quantized, int | None]]:
    """Return quantized images with the heights of their bands, by name; integers only."""
    return {
        "pixel": (_image((1, 1), (1,), 4, noise=0), None),
        "ramp": (_image((23, 31), (16,), 4, noise=5), None),
        "tiles": (_tiles(), None),
        "regions": (_image((26, 30), (4, 24), 4, noise=7), None),
        "bands": (_image((21, 20), (3, 9), 2, noise=11), 8),
        "unused-region": (_image((9, 14), (2, 0, 6), 5, noise=3), None),
    }


def restorations() -> dict[str, list[Section]]:
    """Return a section of every form of the filter and every block of the correction, by name."""
    made = {f"filter-{form}": [_filter(form)] for form in FORMS}
    made |= {f"correction-{block}": [_correction(block)] for block in BLOCKS}
    made["both"] = [_filter(Form(8, rings=True)), _correction(8)]
    return made


def with_alpha() -> tuple[Quantized, list[Section]]:
    """Return an image with dozens of levels of alpha and hidden rows, and its restoration."""
    quantized, _ = made_images()["bands"]
    rows, columns = np.mgrid[:21, :20]
    shown = 290 - 17 * (abs(rows - 11) + abs(columns - 8)) + rows * columns % 13
    shown[3:5] = 0
    alpha = np.clip(shown, 0, 255).astype(np.uint8)
    index_map = np.where(alpha == 0, 0, quantized.index_map).astype(np.uint16)
    glass = dataclasses.replace(quantized, index_map=index_map, alpha=alpha)
    blocks = (-(-21 // 8), -(-20 // 8), 3)
    values = np.arange(np.prod(blocks), dtype=np.int32).reshape(blocks) * 7919 % 31 - 15
    means = Section(CORRECTION, Correction(8, 11, values, gain_db=0.5).to_bytes())
    return glass, [_filter(Form(8, rings=True)), means]


def _filter(form: Form) -> Section:
    """A filter whose first class is off, the second by default, and so on in turns."""
    states = tuple((i + 2) % 3 for i in range(form.classes))
    shape = (states.count(OWN), form.inputs, 3)
    differences = np.arange(np.prod(shape), dtype=np.int32).reshape(shape) * 7919 % 53 - 26
    return Section(FILTER, Filter(form, states, differences, gain_db=1.5).to_bytes())


def _correction(block: int) -> Section:
    shape = (-(-26 // block), -(-30 // block), 3)
    values = np.arange(np.prod(shape), dtype=np.int32).reshape(shape) * 7919 % 31 - 15
    return Section(CORRECTION, Correction(block, 11, values, gain_db=0.5).to_bytes())


def _image(
    shape: tuple[int, int], ks: tuple[int, ...], block_size: int, *, noise: int
) -> Quantized:
    """Waves of indices, every `noise`-th pixel disturbed, and regions in turns."""
    grid = BlockGrid(*shape, block_size)
    used = [region for region, k in enumerate(ks) if k]
    blocks = np.arange(grid.rows)[:, None] // 2 + np.arange(grid.columns) // 3
    region_map = np.array(used, dtype=np.uint8)[blocks % len(used)]
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    place = rows * shape[1] + columns
    wave = rows // 3 + columns // 5
    if noise:
        wave = wave + (place % noise == 0) * (place * 7919 % 101)
    sizes = np.maximum(np.array(ks), 1)[grid.spread(region_map)]
    codebooks = tuple(_codebook(k) for k in ks)
    return Quantized(grid, region_map, codebooks, (wave % sizes).astype(np.uint16))


def by_quality() -> np.ndarray:
    """Return soft waves of color, (40, 48, 3) uint8, in integers."""
    rows, columns = np.mgrid[:40, :48]
    waves = [abs((rows * a + columns * b) % 97 - 48) for a, b in ((3, 2), (1, 4), (5, 1))]
    speckles = (rows * 7919 + columns * 104729) % 13
    return np.stack([4 * wave + speckles for wave in waves], axis=-1).astype(np.uint8)


def _tiles() -> Quantized:
    """A tile of 9 × 7 pixels again and again."""
    grid = BlockGrid(40, 52, 8)
    tile = (np.arange(63, dtype=np.uint16) * 5 % 11 % 4).reshape(7, 9)
    index_map = np.tile(tile, (6, 6))[:40, :52].copy()
    return Quantized(grid, np.zeros(grid.shape, np.uint8), (_codebook(4),), index_map)


def _codebook(k: int) -> np.ndarray:
    steps = np.arange(k)[:, None] * (11, 7, 5) + (3, 40, 90)
    codebook = (steps % 256).astype(np.uint8)
    return codebook[luma_order(codebook)]


def main(coder: str) -> None:
    """Write the files of a coder that has none, or those that are named otherwise."""
    if coder == "quality":
        with golden_path("quality", "context-mixing").open("xb") as file:
            file.write(encode(by_quality(), Settings(quality=30)))
        return
    if coder == "alpha":
        glass, sections = with_alpha()
        for name in ALPHA_CODERS:
            with golden_path("alpha", name).open("xb") as file:
                file.write(write(glass, name, sections=sections, band_height=8))
        return
    if coder == "metadata":
        ramp, _ = made_images()["ramp"]
        with golden_path("metadata", "fixed-length").open("xb") as file:
            file.write(with_metadata(write(ramp, "fixed-length"), METADATA))
        return
    if coder == "restored":
        quantized, _ = made_images()["regions"]
        for name, sections in restorations().items():
            with golden_path("restored", name).open("xb") as file:
                file.write(write(quantized, "fixed-length", sections=sections))
        return
    paths = {name: golden_path(name, coder) for name in made_images()}
    if any(path.exists() for path in paths.values()):
        raise SystemExit(f"{coder} has golden files, which are never rewritten")
    for name, (quantized, band_height) in made_images().items():
        paths[name].write_bytes(write(quantized, coder, band_height=band_height))


def golden_path(name: str, coder: str) -> Path:
    """Return the file of an image by a coder."""
    return FOLDER / f"{name}.{coder.replace(':', '-')}.akm"


if __name__ == "__main__":
    main(sys.argv[1])
