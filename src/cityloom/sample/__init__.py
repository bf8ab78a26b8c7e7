"""The sample city: an invented city as files, made from a seed, with the truth beside it.

This room draws a city with thirty days of history and writes it the way a real city's
departments would deliver it; the profile `sample` says how those files become entities, through
the same connectors as any city. It must never know a store, a broker or a web framework.
"""

from cityloom.sample.generate import Progress, SampleReport, generate
from cityloom.sample.period import DEFAULT_END
from cityloom.sample.sizes import SIZES, SizeName

__all__ = ["DEFAULT_END", "SIZES", "Progress", "SampleReport", "SizeName", "generate"]
