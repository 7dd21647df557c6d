"""From a codebook to its payload, and back; `_codebook_kernels` holds the model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adaptive_kmeans.coding._codebook_kernels import COUNTERS, code_codebook
from adaptive_kmeans.coding._mixing_kernels import NEW_COUNTER
from adaptive_kmeans.coding._range_coder import (
    POSITION,
    ends_well,
    start_decoding,
    start_encoding,
    tail,
)
from adaptive_kmeans.errors import CorruptError

Bytes = npt.NDArray[np.uint8]


def encode(codebook: Bytes) -> bytes:
    """Payload of a (k, 3) codebook: coded differences, or its bytes where these are no more."""
    colors = codebook.astype(np.int64, order="C")
    stream = np.zeros(4 * colors.size + 64, dtype=np.uint8)
    coder = start_encoding()
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
    colors = np.zeros((k, 3), dtype=np.int64)
    coder = start_decoding(payload)
    code_codebook(True, colors, _counters(), coder, np.frombuffer(payload, dtype=np.uint8).copy())
    if not ends_well(coder, payload):
        raise CorruptError("codebook", f"a payload of {k} codewords", f"{len(payload)} bytes")
    return colors.astype(np.uint8)


def _counters() -> npt.NDArray[np.uint32]:
    return np.full(COUNTERS, NEW_COUNTER, dtype=np.uint32)
