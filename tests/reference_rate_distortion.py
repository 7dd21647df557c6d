"""Naive twins of the rate–distortion search: whole sums, no shortcuts."""

import numpy as np

from adaptive_kmeans.rate_distortion import proxy


def at(labels: np.ndarray, y: int, x: int) -> int:
    """Return a codeword, -1 outside of the image."""
    inside = 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]
    return int(labels[y, x]) if inside else -1


def apart(colors: np.ndarray, one: int, other: int) -> int:
    return int(np.abs(colors[one] - colors[other]).sum())


def nearest(colors: np.ndarray, color) -> int:
    """Return the codeword nearest to the center of a color's cube of 8 levels."""
    center = np.array(color) // 8 * 8 + 4
    return int(((colors - center) ** 2).sum(axis=1).argmin())


def events(labels: np.ndarray, colors: np.ndarray, y: int, x: int) -> tuple[int, int, int]:
    """Return pattern with prediction and repeats, the activity in levels, and the prediction."""
    w, n, ne, nw = (at(labels, y + dy, x + dx) for dy, dx in ((0, -1), (-1, 0), (-1, 1), (-1, -1)))
    numbers: dict[int, int] = {}
    shape = tuple(numbers.setdefault(label, len(numbers)) for label in (w, n, ne, nw))
    a = w if w >= 0 else max(n, 0)
    b = n if n >= 0 else a
    c = nw if nw >= 0 else b
    d = ne if ne >= 0 else b
    length = apart(colors, a, c) + apart(colors, b, c) + apart(colors, b, d)
    color = [
        sorted((left, up, left + up - corner))[1]
        for left, up, corner in zip(colors[a], colors[b], colors[c], strict=True)
    ]
    predicted = nearest(colors, color)
    which = next((i + 1 for i, label in enumerate((w, n, ne, nw)) if label == predicted), 0)
    repeats = (at(labels, y, x - 2) == w) + 2 * (at(labels, y - 2, x) == n)
    return (shape, which, int(repeats)), length, predicted


def bits(labels, palette, costs, y, x) -> int:
    """Return what a pixel costs, in 1 / 256 of a bit."""
    colors = palette.colors[:, :3]
    (shape, which, repeats), length, predicted = events(labels, colors, y, x)
    w, n, ne, nw = shape
    equal = [w == n, w == ne, w == nw, n == ne, n == nw, ne == nw]
    pattern = int(proxy.PATTERN[sum(flag << i for i, flag in enumerate(equal))])
    activity = int(palette.lengths[length])
    context = ((pattern * 5 + which) * 4 + repeats) * 7 + activity
    label = int(labels[y, x])
    around = [at(labels, y + dy, x + dx) for dy, dx in ((0, -1), (-1, 0), (-1, 1), (-1, -1))]
    if label in around:
        return int(costs.events[context, around.index(label)])
    span = int(palette.spans[apart(colors, predicted, label)])
    others = costs.spans[activity, span] + costs.choices[predicted, span] + costs.uses[label]
    return max(0, int(costs.events[context, 4]) + int(others))


def total_bits(labels, palette, costs) -> int:
    return sum(bits(labels, palette, costs, y, x) for y, x in np.ndindex(labels.shape))


def sweep(image, labels, prices, palette, costs) -> np.ndarray:
    """Return the codewords after a sweep.

    Each pixel takes what makes its error and the bits of itself and of E, SW, S and SE least.
    """
    labels = labels.copy()
    colors = palette.colors[:, :3]
    window = [(int(dy), int(dx)) for dy, dx in np.argwhere(np.ones((3, 3))) - 1 if dy or dx]
    seeing = [(0, 0), (0, 1), (1, -1), (1, 0), (1, 1)]

    def cost(y: int, x: int) -> int:
        places = [(y + dy, x + dx) for dy, dx in seeing if at(labels, y + dy, x + dx) >= 0]
        rate = sum(bits(labels, palette, costs, *place) for place in places)
        error = 4096 * int(((colors[labels[y, x]] - image[y, x]) ** 2).sum())
        return error + int(prices[y, x]) * rate

    for y, x in np.ndindex(labels.shape):
        before = int(labels[y, x])
        around = [at(labels, y + dy, x + dx) for dy, dx in window]
        close = palette.close[nearest(colors, image[y, x])]
        sums = {}
        for label in dict.fromkeys([before, *(i for i in around if i >= 0), *map(int, close)]):
            labels[y, x] = label
            sums[label] = cost(y, x)
        least = min(sums.values())
        labels[y, x] = before if sums[before] == least else min(sums, key=lambda i: sums[i])
    return labels
