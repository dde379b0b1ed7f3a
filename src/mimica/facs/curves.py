"""How a unit's strength goes over time."""

from typing import TYPE_CHECKING

from mimica.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


def curve(
    time: "np.ndarray",
    *,
    onset: "float | np.ndarray",
    apex: "float | np.ndarray",
    release: "float | np.ndarray",
    offset: "float | np.ndarray",
) -> "np.ndarray":
    """How strong a unit is over time, 0 to 1: it sets in, stays at its apex, and goes.

    It is 0 until `onset`, eases to 1 at `apex`, stays there until `release`, and is 0 again from
    `offset`; the four are in the clock of `time`, in this order, and broadcast against it.

    >>> import numpy as np
    >>> curve(np.array([0.0, 0.2, 0.5, 0.8, 1.0]), onset=0.1, apex=0.3, release=0.7, offset=0.9).round(2).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    import numpy as np

    if not (np.all(np.less(onset, apex)) and np.all(np.less_equal(apex, release)) and np.all(np.less(release, offset))):
        raise UsageError("a curve needs onset < apex <= release < offset; put its four times in this order")

    def eased(start: "float | np.ndarray", end: "float | np.ndarray") -> "np.ndarray":
        share = np.clip((time - start) / np.subtract(end, start), 0.0, 1.0)
        return np.asarray(share * share * (3.0 - 2.0 * share))

    return np.asarray(eased(onset, apex) * (1.0 - eased(release, offset)))
