"""Kernels of the color histogram: arrays in, arrays out, no validation.

A color's *key* interleaves the bits of its channels (Morton order), so that 64 neighboring keys are
a cube of 4 levels a side, 512 keys a cube of 8 and 32768 keys a cube of 32. The set of colors of a
region is a bitmap over the keys, 2 MiB; a color's place in the list of distinct colors is the
number of set bits before its own, read from a running count per word and one popcount.

From several megapixels on, a table with an entry for every color is faster than the bitmap, because
a pixel then costs one scattered access; with fewer pixels, most of the time would go into clearing
the table.
"""

from __future__ import annotations

import numpy as np
from numba import njit

WORDS_PER_REGION = 1 << 18
"""64-bit words of one region's bitmap of 2**24 colors."""


@njit(cache=True, nogil=True)
def popcount(word):
    """Return the number of set bits of a uint64."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    word = word + (word >> np.uint64(8))
    word = word + (word >> np.uint64(16))
    return np.int64((word + (word >> np.uint64(32))) & np.uint64(0x7F))


@njit(cache=True, nogil=True)
def mark_colors(pixels, regions, spread, bitmap):
    """Set the bit of every pixel's color.

    pixels (n, 3) uint8; regions (n,) uint8; spread (3, 256) uint32;
    bitmap (r * 2**18,) uint64 # OUT
    """
    for i in range(pixels.shape[0]):
        key = spread[0, pixels[i, 0]] | spread[1, pixels[i, 1]] | spread[2, pixels[i, 2]]
        word = (np.int64(regions[i]) << np.int64(18)) | np.int64(key >> np.uint32(6))
        bitmap[word] |= np.uint64(1) << np.uint64(key & np.uint32(63))


@njit(cache=True, nogil=True)
def rank_words(bitmap, rank):
    """Count the set bits before every word.

    bitmap (w,) uint64; rank (w + 1,) int32 # OUT
    """
    total = np.int64(0)
    for i in range(bitmap.shape[0]):
        rank[i] = total
        if bitmap[i] != np.uint64(0):
            total += popcount(bitmap[i])
    rank[bitmap.shape[0]] = total


@njit(cache=True, nogil=True)
def count_colors(pixels, regions, spread, bitmap, rank, counts):
    """Add one to the count of every pixel's color.

    As `mark_colors`, with rank (w + 1,) int32 and counts (n_colors,) int32 # OUT
    """
    one = np.uint64(1)
    for i in range(pixels.shape[0]):
        key = spread[0, pixels[i, 0]] | spread[1, pixels[i, 1]] | spread[2, pixels[i, 2]]
        word = (np.int64(regions[i]) << np.int64(18)) | np.int64(key >> np.uint32(6))
        below = (one << np.uint64(key & np.uint32(63))) - one
        counts[np.int64(rank[word]) + popcount(bitmap[word] & below)] += np.int32(1)


@njit(cache=True, nogil=True)
def weigh_colors(pixels, regions, weights, spread, bitmap, rank, sums):
    """Add every pixel's weight to the sum of its color.

    As `count_colors`, with weights (n,) int64 and sums (n_colors,) int64 # OUT
    """
    one = np.uint64(1)
    for i in range(pixels.shape[0]):
        key = spread[0, pixels[i, 0]] | spread[1, pixels[i, 1]] | spread[2, pixels[i, 2]]
        word = (np.int64(regions[i]) << np.int64(18)) | np.int64(key >> np.uint32(6))
        below = (one << np.uint64(key & np.uint32(63))) - one
        sums[np.int64(rank[word]) + popcount(bitmap[word] & below)] += weights[i]


@njit(cache=True, nogil=True)
def list_colors(bitmap, rank, compact, colors):
    """Write the colors in the order of their keys.

    compact (64, 3) uint8, the channels of the 64 lowest keys; colors (n_colors, 3) uint8 # OUT
    """
    one = np.uint64(1)
    for i in range(bitmap.shape[0]):
        word = bitmap[i]
        if word == np.uint64(0):
            continue
        red = np.int64(0)
        green = np.int64(0)
        blue = np.int64(0)
        key = np.int64(i & (WORDS_PER_REGION - 1))
        for bit in range(6):
            triple = key >> np.int64(3 * bit)
            red |= ((triple >> np.int64(2)) & np.int64(1)) << np.int64(bit + 2)
            green |= ((triple >> np.int64(1)) & np.int64(1)) << np.int64(bit + 2)
            blue |= (triple & np.int64(1)) << np.int64(bit + 2)
        place = np.int64(rank[i])
        while word != np.uint64(0):
            low = popcount((word & (~word + one)) - one)
            colors[place, 0] = red + np.int64(compact[low, 0])
            colors[place, 1] = green + np.int64(compact[low, 1])
            colors[place, 2] = blue + np.int64(compact[low, 2])
            place += 1
            word &= word - one


@njit(cache=True, nogil=True)
def spread_labels(pixels, regions, spread, bitmap, rank, labels, index_map):
    """Give every pixel the label of its color.

    As `count_colors`, with labels (n_colors,) uint16; index_map (n,) uint16 # OUT
    """
    one = np.uint64(1)
    for i in range(pixels.shape[0]):
        key = spread[0, pixels[i, 0]] | spread[1, pixels[i, 1]] | spread[2, pixels[i, 2]]
        word = (np.int64(regions[i]) << np.int64(18)) | np.int64(key >> np.uint32(6))
        below = (one << np.uint64(key & np.uint32(63))) - one
        index_map[i] = labels[np.int64(rank[word]) + popcount(bitmap[word] & below)]


@njit(cache=True, nogil=True)
def count_in_table(pixels, regions, spread, table):
    """Add one to the entry of every pixel's color.

    As `mark_colors`, with table (r * 2**24,) int32 # OUT
    """
    for i in range(pixels.shape[0]):
        key = spread[0, pixels[i, 0]] | spread[1, pixels[i, 1]] | spread[2, pixels[i, 2]]
        table[(np.int64(regions[i]) << np.int64(24)) | np.int64(key)] += np.int32(1)


@njit(cache=True, nogil=True)
def list_marks(tables, bitmap):
    """Mark the colors with a count in any of the tables.

    tables (t, r * 2**24) int32; bitmap (r * 2**18,) uint64 # OUT
    """
    for word in range(bitmap.shape[0]):
        bits = np.uint64(0)
        for t in range(tables.shape[0]):
            run = tables[t, word * 64 : word * 64 + 64]
            filled = np.int32(0)
            for bit in range(64):
                filled |= run[bit]
            if filled == np.int32(0):
                continue
            for bit in range(64):
                bits |= np.uint64(run[bit] != 0) << np.uint64(bit)
        bitmap[word] = bits


@njit(cache=True, nogil=True)
def list_counts(tables, bitmap, counts):
    """Write the counts of the marked colors, summed over the tables.

    tables (t, r * 2**24) int32; bitmap (r * 2**18,) uint64; counts (n_colors,) int32 # OUT
    """
    place = 0
    for word in range(bitmap.shape[0]):
        bits = bitmap[word]
        index = word * 64
        while bits != np.uint64(0):
            if bits & np.uint64(1) != np.uint64(0):
                total = np.int32(0)
                for t in range(tables.shape[0]):
                    total += tables[t, index]
                counts[place] = total
                place += 1
            bits >>= np.uint64(1)
            index += 1


@njit(cache=True, nogil=True)
def fill_table(bitmap, labels, table):
    """Write each color's label into the entry of its key.

    bitmap (r * 2**18,) uint64; labels (n_colors,) uint16; table (r * 2**24,) uint16 # OUT
    """
    place = 0
    for word in range(bitmap.shape[0]):
        bits = bitmap[word]
        index = word * 64
        while bits != np.uint64(0):
            if bits & np.uint64(1) != np.uint64(0):
                table[index] = labels[place]
                place += 1
            bits >>= np.uint64(1)
            index += 1


@njit(cache=True, nogil=True)
def look_up(pixels, regions, spread, table, index_map):
    """Give every pixel the entry of its color.

    As `count_in_table`, with table (r * 2**24,) uint16; index_map (n,) uint16 # OUT
    """
    for i in range(pixels.shape[0]):
        key = spread[0, pixels[i, 0]] | spread[1, pixels[i, 1]] | spread[2, pixels[i, 2]]
        index_map[i] = table[(np.int64(regions[i]) << np.int64(24)) | np.int64(key)]
