"""An axis of a map: a key of the config, and the numbers that it takes."""

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from initodds.vocabulary import InputError

NUMBER = r"[^:,=]+"
DIGITS = 15
"""Of a number of an axis, and of its ends."""


@dataclass(frozen=True)
class Axis:
    """The numbers from `low` to `high` of the key `key`, evenly spaced, or evenly in their logarithms (`log`).

    Raises InputError where they are not finite, do not rise, or are not over 0 on a logarithmic axis.
    """

    key: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(f"{self}: two finite numbers, the lower one first")
        if self.log and self.low <= 0:
            raise InputError(f"{self}: a logarithmic axis is of numbers over 0")

    def __str__(self) -> str:
        return f"{self.key}={self.ends}"

    @property
    def ends(self) -> str:
        """The part after the `=`, as a user writes it."""
        return f"{self.low:.{DIGITS}g}:{self.high:.{DIGITS}g}" + ":log" * self.log

    def values(self, size: int, whole: bool = False) -> list[float]:
        """So many numbers from `low` to `high`, both included, or the nearest whole ones; `low` alone for one. Where
        there are not so many between the ends, some are the same.

        >>> Axis("sgd.learning_rate", 0.01, 100, log=True).values(5)
        [0.01, 0.1, 1.0, 10.0, 100.0]
        """
        spaced = np.geomspace if self.log else np.linspace
        numbers = spaced(self.low, self.high, size).tolist()
        # To so many digits, 0.3 is 0.3 and can be typed.
        return [round(number) if whole else float(f"{number:.{DIGITS}g}") for number in numbers]

    def within(self, low: float, high: float) -> "Axis":
        """The part of it from `low` to `high`. Raises InputError where that is none of it."""
        if not self.low <= low < high <= self.high:
            raise InputError(f"zoom={low:g}:{high:g}: a part of {self}, the lower end first")
        return replace(self, low=low, high=high)


def axis_of(text: str, option: str) -> Axis:
    """The axis that a user's text KEY=LOW:HIGH, or KEY=LOW:HIGH:log, describes. Raises InputError where it is none.

    >>> axis_of("init.centre=-0.3:0.3", "--x")
    Axis(key='init.centre', low=-0.3, high=0.3, log=False)
    """
    match = re.fullmatch(rf"([^=:,]+)=({NUMBER}):({NUMBER})(:log)?", text)
    try:
        if match:
            return Axis(match[1].strip(), float(match[2]), float(match[3]), bool(match[4]))
    except InputError as error:
        raise InputError(f"{option} {error}") from None
    except ValueError:
        pass
    raise InputError(f"{option} {text}: KEY=LOW:HIGH, two numbers, or KEY=LOW:HIGH:log, as init.centre=-0.3:0.3")


def zoomed(x: Axis, y: Axis, text: str) -> tuple[Axis, Axis]:
    """The parts of two axes that a user's text X0:X1,Y0:Y1 describes. Raises InputError where it describes none.

    >>> [axis.ends for axis in zoomed(Axis("x", 0, 1), Axis("y", 1, 9, log=True), "0.5:0.75,2:3")]
    ['0.5:0.75', '2:3:log']
    """
    match = re.fullmatch(rf"({NUMBER}):({NUMBER}),({NUMBER}):({NUMBER})", text)
    try:
        if match:
            x0, x1, y0, y1 = map(float, match.groups())
            return x.within(x0, x1), y.within(y0, y1)
    except InputError as error:
        raise InputError(f"--{error}") from None
    except ValueError:
        pass
    raise InputError(f"--zoom {text}: X0:X1,Y0:Y1, two numbers of either axis")
