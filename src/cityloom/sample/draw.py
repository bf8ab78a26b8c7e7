"""Random numbers that depend on the seed and on what they are for, never on the order of the work."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """Makes the generator (PCG64) of one purpose.

    A part drawn alone, or a month drawn day by day, gets the very numbers that it gets
    in one run: each purpose has a stream of its own.

    Args:
        seed: the city's seed.
        purpose: words and numbers that name the use, for example `"air", 20250601`.
    """
    words = [crc32(word.encode()) if isinstance(word, str) else word for word in purpose]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
