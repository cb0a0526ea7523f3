"""The curves of a cell's replicates as an SVG picture, written without Matplotlib, which takes longer to load, or to
draw one figure, than a cell of a large sweep takes to train."""

import math
from collections.abc import Iterator, Mapping
from html import escape

import numpy as np

from initodds.statistics.colours import COLOURS, LOWEST_SHOWN, highest_shown
from initodds.vocabulary import OUTCOMES

Array = np.ndarray

WIDTH, HEIGHT = 330, 250
"""Of a panel, within its axes."""
LEFT, TOP, BETWEEN, RIGHT, BOTTOM = 55, 40, 65, 130, 45
MOST_LINES = 300
"""Of more replicates than this, every second or third is drawn, and so on."""


def curve_picture(steps: Array, curves: Mapping[str, Array], outcome: Array, title: str) -> str:
    """Score and cost over the steps, a line a replicate, coloured by outcome: the text of an SVG file.

    steps: (C,) int.  curves: (C, R) by their names, a panel each, in this order.  outcome: (R,) of `OUTCOMES`.

    >>> picture = curve_picture(np.array([0, 10]), {"cost": np.array([[0.9], [0.1]])}, np.array(["converged"]), "half")
    >>> picture[:4], "1 converged" in picture
    ('<svg', True)
    """
    every = -(-len(outcome) // MOST_LINES)
    chosen = np.arange(0, len(outcome), every)
    title += f" (one replicate in {every})" if every > 1 else ""
    width = LEFT + len(curves) * WIDTH + (len(curves) - 1) * BETWEEN + RIGHT
    height = TOP + HEIGHT + BOTTOM
    panels = [
        _panel(LEFT + place * (WIDTH + BETWEEN), name, steps, values, chosen, outcome)
        for place, (name, values) in enumerate(curves.items())
    ]
    legend = _legend(width - RIGHT + 15, outcome)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
 font-family="system-ui, 'DejaVu Sans', Arial, sans-serif" font-size="12" fill="#222">
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="{(width - RIGHT + LEFT) / 2:g}" y="20" text-anchor="middle" font-size="14">{escape(title)}</text>
{chr(10).join(panels)}
{legend}
</svg>
"""


def _panel(left: int, name: str, steps: Array, values: Array, chosen: Array, outcome: Array) -> str:
    """The axes of one kind of curve, with the lines of the chosen replicates."""
    x = left + WIDTH * _symlog(steps) / max(_symlog(steps[-1:])[0], 1e-9)
    low, high, note = _range(name, values)
    with np.errstate(invalid="ignore", over="ignore"):
        y = TOP + HEIGHT * (high - np.clip(values, low - 1, 2 * high)) / (high - low)
    lines = [
        f'<path d="{_line(x, y[:, r])}" stroke="{COLOURS[o]}"/>' for o in OUTCOMES for r in chosen[outcome[chosen] == o]
    ]
    bottom, clip = TOP + HEIGHT, f"in{left}"
    ticks = [_tick_below(left + WIDTH * at, words) for at, words in _steps_named(int(steps[-1]))]
    ticks += [
        _tick_beside(left, TOP + HEIGHT * (high - at) / (high - low), f"{at:g}") for at in _round_between(low, high)
    ]
    return f"""<clipPath id="{clip}"><rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/></clipPath>
<g fill="none" stroke-width=".9" stroke-opacity=".7" clip-path="url(#{clip})">
{chr(10).join(lines)}
</g>
<path d="M{left} {TOP}V{bottom}H{left + WIDTH}" fill="none" stroke="#222"/>
{chr(10).join(ticks)}
<text x="{left + WIDTH / 2:g}" y="{bottom + 36}" text-anchor="middle">SGD steps</text>
<text transform="translate({left - 40} {TOP + HEIGHT / 2:g}) rotate(-90)" text-anchor="middle">{escape(name)}</text>
<text x="{left + WIDTH}" y="{TOP - 6}" text-anchor="end" font-size="11" fill="#666">{note}</text>"""


def _range(name: str, values: Array) -> tuple[float, float, str]:
    """Where the axis of a curve begins and ends, and what to say of values beyond."""
    if name in LOWEST_SHOWN:
        return LOWEST_SHOWN[name], 1.0, ""
    finite = np.isfinite(values)
    if not finite[0].any():
        return 0.0, 1.0, "none is finite"
    ends = [float(np.median(row[good])) for row, good in zip(values, finite, strict=True) if good.any()]
    usual = values[finite & (values <= highest_shown(ends[0], ends[-1]))].max(initial=0.0)
    beyond = int((finite & (values > usual)).any(axis=0).sum())
    note = f"{beyond} beyond, up to {values[finite].max():.2g}" if beyond else ""
    return 0.0, 1.05 * float(usual) or 1.0, note


def _symlog(steps: Array) -> Array:
    """Steps on a scale that is linear up to the first and logarithmic beyond."""
    return np.where(steps < 1, steps, 1 + np.log10(np.maximum(steps, 1)))


def _line(x: Array, y: Array) -> str:
    """A path through the finite points, broken where one is not."""
    text, drawing = [], False
    for across, down in zip(x.tolist(), y.tolist(), strict=True):
        if math.isfinite(down):
            text.append(f"{'L' if drawing else 'M'}{across:.1f} {down:.1f}")
        drawing = math.isfinite(down)
    return "".join(text)


def _steps_named(last: int) -> Iterator[tuple[float, str]]:
    """(share of the axis, words) of 0 and the powers of ten up to the last step."""
    whole = float(_symlog(np.array([last]))[0]) or 1.0
    yield 0.0, "0"
    for power in range(len(str(last))):
        if 10**power <= last:
            yield (1 + power) / whole, f"{10**power:,}".replace(",", "\N{THIN SPACE}")


def _round_between(low: float, high: float) -> list[float]:
    """About five round numbers within an axis."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda factor: abs(factor * power - rough)) * power
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _tick_below(x: float, words: str) -> str:
    y = TOP + HEIGHT
    return f'<path d="M{x:.1f} {y}v4" stroke="#222"/><text x="{x:.1f}" y="{y + 17}" text-anchor="middle">{words}</text>'


def _tick_beside(x: int, y: float, words: str) -> str:
    return (
        f'<path d="M{x} {y:.1f}h-4" stroke="#222"/><text x="{x - 7}" y="{y + 4:.1f}" text-anchor="end">{words}</text>'
    )


def _legend(left: int, outcome: Array) -> str:
    """The outcomes that there are, with their counts."""
    rows: list[str] = []
    for o in OUTCOMES:
        if count := int((outcome == o).sum()):
            y = TOP + HEIGHT / 2 - 30 + 18 * len(rows)
            rows.append(
                f'<rect x="{left}" y="{y - 3:g}" width="18" height="3" fill="{COLOURS[o]}"/>'
                f'<text x="{left + 24}" y="{y + 3:g}">{count} {o}</text>'
            )
    return "\n".join(rows)
