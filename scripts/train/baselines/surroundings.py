"""What a method changes in the process it runs in, and gives back: generators and threads."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from threadpoolctl import threadpool_limits


@contextmanager
def own_surroundings(seed: int, threads: int) -> Iterator[None]:
    """Seed the generators that packages share, and set the threads of the CPU, until the end."""
    # Packages still draw from numpy's shared generator.
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    before = torch.get_num_threads()
    gpus = range(torch.cuda.device_count())
    try:
        with torch.random.fork_rng(devices=gpus), threadpool_limits(threads):
            torch.set_num_threads(threads)
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_num_threads(before)
