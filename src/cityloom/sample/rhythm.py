"""How a city's day and week go: shares of a busy hour, by local hour, on weekdays and weekends."""

from __future__ import annotations

import numpy as np

from cityloom.sample.period import Floats, Ints, local_hour, weekend

Curve = tuple[tuple[float, ...], tuple[float, ...]]

TRAFFIC: Curve = (
    (.10, .07, .05, .05, .08, .20, .50, .88, 1.0, .78, .62, .60, .63, .62, .64, .72, .88, 1.0, .95, .70,
     .50, .38, .28, .17),
    (.16, .11, .08, .06, .06, .09, .15, .23, .34, .46, .55, .60, .62, .60, .58, .57, .56, .56, .53, .46,
     .40, .35, .30, .22),
)  # fmt: skip
"""Cars: two rush hours on weekdays, one low hump on weekends."""

BICYCLES: Curve = (
    (.03, .02, .01, .01, .02, .10, .38, .85, 1.0, .55, .32, .33, .40, .38, .35, .42, .66, .98, .90, .58,
     .34, .22, .13, .07),
    (.05, .03, .02, .01, .01, .03, .08, .15, .27, .42, .54, .60, .60, .58, .57, .55, .52, .47, .40, .30,
     .22, .16, .11, .07),
)  # fmt: skip

REPORTS: Curve = (
    (.08, .05, .04, .04, .05, .10, .30, .62, .90, 1.0, .98, .92, .80, .82, .85, .82, .76, .70, .58, .46,
     .38, .30, .20, .12),
    (.06, .04, .03, .03, .03, .05, .12, .22, .34, .42, .46, .45, .42, .40, .38, .36, .34, .32, .28, .24,
     .20, .16, .12, .08),
)  # fmt: skip
"""Citizens' reports: office hours on weekdays, few on weekends."""


def busy(curve: Curve, stamps: Ints) -> Floats:
    """How busy each moment is: 1 is the busiest weekday hour; straight lines between the hours."""
    hour = local_hour(stamps)
    grid = np.arange(25)
    weekday_values, weekend_values = (np.interp(hour, grid, [*day, day[0]]) for day in curve)
    return np.asarray(np.where(weekend(stamps), weekend_values, weekday_values))
