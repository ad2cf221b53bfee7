"""Work on several things at a time, as many as the core may use threads (`set_num_threads`).

For calls into the core and into linear algebra, which leave the interpreter free meanwhile. What comes out, and in
which order, does not depend on the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from thalweg.features.evaluate import num_threads

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """function(item) of each item; while one is looked at the next ones are worked on."""
    n = num_threads()
    if n < 2:
        yield from map(function, items)
        return
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(n) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > n:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
