"""From a codebook to its payload, and back; `_codebook_kernels` holds the model.

Every quantizer leaves codebooks in the order of luma, and a file's reader gets them so. That order
is a poor one to code: neighbors in it share a brightness, not a color. (On bundled photographs 256
codewords cost 15 to 19 % more in it.) So the codewords of such a codebook are coded as a set, in an
order of the encoder's choice, and the decoder sorts them. The index map, whose indices are those of
the sorted codebook, knows nothing of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding._codebook_kernels import COUNTERS, code_codebook
from adaptive_kmeans.coding._range_coder import (
    POSITION,
    code_bit,
    ends_well,
    start_decoding,
    start_encoding,
    tail,
)
from adaptive_kmeans.errors import CorruptError
from adaptive_kmeans.luma import luma_order

Bytes = npt.NDArray[np.uint8]


SORTED_CHANCE = 64512
"""That a codebook is in the order of luma: 63 / 64, since all are that a quantizer makes."""


def encode(codebook: Bytes) -> bytes:
    """Payload of a (k, 3) codebook: coded differences, or its bytes where these are no more."""
    is_sorted = bool((codebook[luma_order(codebook)] == codebook).all())
    colors = (codebook[chain(codebook)] if is_sorted else codebook).astype(np.int64, order="C")
    stream = np.zeros(4 * colors.size + 64, dtype=np.uint8)
    coder = start_encoding()
    code_bit(coder, stream, False, int(is_sorted), SORTED_CHANCE)
    code_codebook(False, colors, _counters(), coder, stream)
    payload = stream[: coder[POSITION]].tobytes() + tail(coder)
    return payload if len(payload) < colors.size else codebook.tobytes()


def decode(payload: bytes, k: int) -> Bytes:
    """Codebook of a payload, (k, 3).

    Raises
    ------
    CorruptError
        No codebook of k codewords is coded as `payload`.
    """
    if len(payload) == 3 * k:
        return np.frombuffer(payload, dtype=np.uint8).reshape(k, 3).copy()
    if len(payload) > 3 * k:
        raise CorruptError("codebook", f"at most {3 * k} bytes for {k} codewords", len(payload))
    coded = np.zeros((k, 3), dtype=np.int64)
    stream = np.frombuffer(payload, dtype=np.uint8).copy()
    coder = start_decoding(payload)
    is_sorted = code_bit(coder, stream, True, 0, SORTED_CHANCE)
    code_codebook(True, coded, _counters(), coder, stream)
    if not ends_well(coder, payload):
        raise CorruptError("codebook", f"a payload of {k} codewords", f"{len(payload)} bytes")
    codebook = coded.astype(np.uint8)
    return codebook[luma_order(codebook)] if is_sorted else codebook


def chain(codebook: Bytes) -> npt.NDArray[np.int64]:
    """Return the order in which a (k, 3) codebook costs few bytes.

    From the darkest codeword on, each is followed by the nearest of those that are left (ties: the
    lowest index). Only the encoder needs it.

    Examples
    --------
    >>> chain(np.array([[9, 9, 9], [200, 0, 0], [0, 0, 0]], dtype=np.uint8)).tolist()
    [2, 0, 1]
    """
    colors = codebook.astype(np.int64)
    order = np.zeros(len(colors), dtype=np.int64)
    used = np.zeros(len(colors), dtype=np.int64)
    distance = colors.sum(axis=1)
    for i in range(len(colors)):
        order[i] = np.argmin(distance + used)
        used[order[i]] = 1 << 40
        distance = np.square(colors - colors[order[i]]).sum(axis=1)
    return order


def _counters() -> npt.NDArray[np.uint32]:
    return np.zeros(COUNTERS, dtype=np.uint32)
