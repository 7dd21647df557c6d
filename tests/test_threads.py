import threading
import time

import pytest

from adaptive_kmeans.threads import Workers


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
