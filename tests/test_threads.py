import threading
import time

import numpy as np
import pytest

from adaptive_kmeans.blocks import BlockGrid
from adaptive_kmeans.coding.context_mixing import contexts, pixels
from adaptive_kmeans.quantize import Quantized
from adaptive_kmeans.rate_distortion import live
from adaptive_kmeans.rate_distortion.refinement import Refinement
from adaptive_kmeans.threads import STOP, Workers, count_rows


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_are_in_order_and_calls_are_limited_to_the_threads(count):
    running, most, lock = 0, 0, threading.Lock()

    def square(x: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002 * (x % 3))
        with lock:
            running -= 1
        return x * x

    with Workers(count) as workers:
        assert list(workers.in_order(square, ((x,) for x in range(20)))) == [
            x * x for x in range(20)
        ]
    assert most <= count


@pytest.mark.parametrize("count", [1, 2])
def test_the_first_call_that_fails_is_raised_and_ends_the_work(count):
    called = []

    def fail(x: int) -> int:
        called.append(x)
        time.sleep(0.01)
        if x >= 2:
            raise ValueError(x)
        return x

    seen: list[int] = []
    with Workers(count) as workers, pytest.raises(ValueError, match="2"):
        seen.extend(workers.in_order(fail, ((x,) for x in range(50))))
    assert seen == [0, 1]
    assert len(called) < 10


def test_what_progress_raises_stops_the_kernel_at_its_next_row():
    seen = []

    def call(counter):
        for row in range(10_000):
            if counter[0] < 0:
                seen.append(row)
                return
            counter[0] = row + 1
            time.sleep(0.001)

    def stop(stage, share):
        assert stage == "coding"
        assert 0 <= share < 1
        raise InterruptedError

    with pytest.raises(InterruptedError):
        count_rows(call, 10_000, "coding", stop)
    assert len(seen) == 1
    assert seen[0] < 5000


@pytest.mark.parametrize("work", ["code", "choose"])
def test_compiled_kernels_stop_where_the_rows_done_are_below_zero(work, random):
    """Each then leaves the rows done as they were set."""
    labels = random.integers(0, 4, (8, 8)).astype(np.int32)
    rows_done = np.array([STOP], dtype=np.int64)
    codebooks = (random.integers(0, 256, (4, 3), dtype=np.uint8),)
    regions = np.zeros((8, 8), dtype=np.uint8)
    codewords, _ = live.number_codewords(codebooks, labels.copy())
    if work == "code":
        pixels.encode(contexts.MODELS["fast"], codewords, labels, regions, rows_done)
    else:
        quantized = Quantized(
            BlockGrid(8, 8, 8), np.zeros((1, 1), np.uint8), codebooks, labels.astype(np.uint16)
        )
        image = quantized.reconstruct()
        with Workers(1) as workers:
            prices = np.full((8, 8), 10.0)
            refinement = Refinement(
                image, quantized, prices, "psnr", "context-mixing", False, workers
            )
            choice = refinement._choice(1.0, 4)
            live.choose("strongest", codewords, choice, regions, rows_done)
    assert rows_done[0] == STOP
