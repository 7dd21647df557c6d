"""Naive twins of the dithering kernels: every codeword measured, in exact fractions.

They are written from the docstrings of `adaptive_kmeans.dithering`.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np

from adaptive_kmeans.dithering import Nearest


def distance(a, b) -> int:
    return sum((int(x) - int(y)) ** 2 for x, y in zip(a, b, strict=True))


def luma(color) -> int:
    return 299 * int(color[0]) + 587 * int(color[1]) + 114 * int(color[2])


def rounded(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def spacing(codebook) -> int:
    """The mean distance of a codeword from the next one, in 1 / 256."""
    colors = codebook.tolist()
    total = 0
    for i, color in enumerate(colors):
        others = [distance(color, other) for j, other in enumerate(colors) if j != i]
        total += isqrt(min(others, default=0) * 256**2)
    return total // max(1, len(colors))


def diffusion(start: Nearest, strength: int) -> np.ndarray:
    """Error diffusion at a strength in 1 / 256; errors are in 1 / 256 of a level."""
    height, width = start.index_map.shape
    found = start.index_map.copy()
    alpha = np.full((height, width), 255) if start.alpha is None else start.alpha.astype(int)
    limits = [spacing(codebook) for codebook in start.codebooks]
    carried: dict[tuple[int, int], list[int]] = {}
    for y in range(height):
        forward = 1 if y % 2 == 0 else -1
        for x in range(width)[::forward]:
            if alpha[y, x] == 0:
                continue
            region = int(start.pixel_regions[y, x])
            codebook = start.codebooks[region].tolist()
            arrived = carried.get((y, x), [0, 0, 0])
            wanted = [
                min(max(256 * int(level) + error, 0), 256 * 255)
                for level, error in zip(start.image[y, x], arrived, strict=True)
            ]
            if any(arrived):
                levels = [rounded(Fraction(level, 256)) for level in wanted]
                found[y, x] = min(range(len(codebook)), key=lambda i: distance(codebook[i], levels))
            shares = {
                (y, x + forward): 7,
                (y + 1, x - forward): 3,
                (y + 1, x): 5,
                (y + 1, x + forward): 1,
            }
            for c in range(3):
                error = rounded(
                    Fraction((wanted[c] - 256 * codebook[found[y, x]][c]) * strength, 256)
                )
                error = min(max(error, -limits[region]), limits[region])
                parts = {place: rounded(Fraction(error * s, 16)) for place, s in shares.items()}
                last = (y + 1, x + forward)
                parts[last] = error - sum(part for place, part in parts.items() if place != last)
                for (to_y, to_x), part in parts.items():
                    if not (0 <= to_y < height and 0 <= to_x < width) or alpha[to_y, to_x] == 0:
                        continue
                    seen = min(Fraction(1), Fraction(int(alpha[y, x]), int(alpha[to_y, to_x])))
                    sums = carried.setdefault((to_y, to_x), [0, 0, 0])
                    sums[c] += (part * seen).__floor__()
    return found


def blue_noise(start: Nearest, strength: int, mask: np.ndarray, neighbors: int) -> np.ndarray:
    """Ordered dithering between two codewords at a strength in 1 / 256."""
    found = start.index_map.copy()
    for (y, x), index in np.ndenumerate(start.index_map):
        if start.alpha is not None and start.alpha[y, x] == 0:
            continue
        codebook = start.codebooks[start.pixel_regions[y, x]].astype(int)
        by_luma = sorted(range(len(codebook)), key=lambda i: (luma(codebook[i]), *codebook[i], i))
        rank = {i: place for place, i in enumerate(by_luma)}
        nearest, error = codebook[index], start.image[y, x].astype(int) - codebook[index]
        others = [i for i in range(len(codebook)) if i != index]
        others.sort(key=lambda i: (distance(codebook[i], nearest), rank[i]))
        best = None
        for other in others[:neighbors]:
            direction = codebook[other] - nearest
            if error @ direction <= 0:
                continue
            square = int(direction @ direction)
            share = min(Fraction(1), Fraction(int(error @ direction), square))
            cost = -(share**2) * square + share * (1 - share) * square / 8
            if best is None or cost < best[0]:
                best = cost, other, share
        if best is None:
            continue
        _, other, share = best
        side = len(mask)
        height = Fraction(2 * int(mask[y % side, x % side]) + 1, 2 * side * side)
        if luma(codebook[other]) > luma(nearest):
            height = 1 - height
        if height < share * strength / 256:
            found[y, x] = other
    return found
