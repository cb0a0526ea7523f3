"""Do the intervals hold what they promise? How often each covers the truth, where the truth is known.

python experiments/10-intervals/coverage.py            ten minutes; writes results.csv, summary.md and coverage.png
python experiments/10-intervals/coverage.py analyse    the summary and the figure from the committed results
"""

import sys
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from scipy.stats import binom
from tabulate import tabulate

from initodds.statistics import figures
from initodds.statistics.boundary import fit
from initodds.statistics.comparison import newcombe_interval, paired_interval
from initodds.statistics.edges import Search
from initodds.statistics.precision import needed
from initodds.statistics.rates import wilson
from initodds.statistics.survival import median_time

FOLDER = Path(__file__).parent
SIZES = (8, 16, 32, 100, 300, 1000)
RATES = np.round(np.linspace(0.02, 0.98, 49), 2)
PAIRS = tuple(product((0.02, 0.1, 0.5, 0.9), (0.05, 0.3, 0.7, 0.98)))
"""The two rates that are compared."""


def of_rate() -> pd.DataFrame:
    """Wilson's interval of n independent replicates: what is covered at each of `RATES`, counted, not simulated.

    It is the same with an effect of the data order or without, where each replicate has an order of its own: it
    converges with the share of its order, and a coin that is drawn first and thrown then is a coin.
    """
    rows = []
    for n in SIZES:
        count = np.arange(n + 1)
        low, high = wilson(count, np.full(n + 1, n))
        for rate in RATES:
            inside = (low <= rate) & (rate <= high)
            rows.append(("rate", "independent", n, rate, float(binom.pmf(count, n, rate)[inside].sum())))
    return frame_of(rows)


def of_shared_orders(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """The same where the replicates are split over four data orders, each with a share of its own, so that replicates
    of one order are correlated so much."""
    rows = []
    for correlation, n, rate in product((0.02, 0.05, 0.1), (32, 200, 1000), (0.5, 0.9)):
        strength = 1 / correlation - 1
        shares = rng.beta(rate * strength, (1 - rate) * strength, size=(draws, 4))
        count = rng.binomial(n // 4, shares).sum(axis=1)
        low, high = wilson(count, np.full(draws, n))
        rows.append(("rate", f"4 orders, {correlation}", n, rate, float(((low <= rate) & (rate <= high)).mean())))
    return frame_of(rows)


def of_difference(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """The difference of two rates: of independent groups, and of pairs whose outcomes are correlated so much, as far as
    the two rates allow."""
    rows = []
    for n, (a, b) in product(SIZES, PAIRS):
        counts = np.stack([rng.binomial(n, a, draws), rng.binomial(n, b, draws)], axis=1)
        covered = share_covering(counts, lambda hits, n=n: newcombe_interval(hits[0], n, hits[1], n), a - b)
        rows.append(("unpaired difference", "independent", n, a, covered))
        for correlation in (0.0, 0.5):
            both = min(a * b + correlation * np.sqrt(a * (1 - a) * b * (1 - b)), a, b)
            shares = [a - both, b - both, both, 1 - a - b + both]
            if min(shares) < 0:
                continue
            counts = rng.multinomial(n, shares, draws)[:, :2]
            covered = share_covering(counts, lambda only, n=n: paired_interval(only[0], only[1], n), a - b)
            rows.append(("paired difference", f"correlation {correlation}", n, a, covered))
    return frame_of(rows)


def share_covering(counts: np.ndarray, interval, truth: float) -> float:
    """The share of the counts (draws, k) whose interval has the truth."""
    seen, times = np.unique(counts, axis=0, return_counts=True)
    ends = np.array([interval(row) for row in seen])
    return float(times[(ends[:, 0] <= truth) & (truth <= ends[:, 1])].sum() / len(counts))


def of_boundary(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """The boundary along nine values of a setting, wherever it lies between the third and the seventh of them.

    case: over how many of their distances the share falls from 90 to 10 %.
    """
    cases = product((0.5, 2.0, 6.0), (8, 32, 100))
    return boundaries("boundary", np.linspace(0, 8, 9), (2, 6), cases, draws, rng)


DEPTHS = np.log([5, 10, 15, 20, 30, 40, 50, 60])
"""The logarithms of the depths that study 09 tries."""


def of_depths(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """The boundary along study 09's depths, of as many networks at each as there, wherever it lies in 10 to 50 layers.

    case: over how much of ln depth the share falls from 90 to 10 %.
    """
    cases = product((0.25, 0.5, 0.75), (4, 8))
    return boundaries("boundary along depths", DEPTHS, (np.log(10), np.log(50)), cases, draws, rng)


def boundaries(
    of: str,
    x: np.ndarray,
    between: tuple[float, float],
    cases: Iterable[tuple[float, int]],
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The boundary along x, wherever it lies between these two, of each (width, n)."""
    rows = []
    for width, n in cases:
        covered, told = [], []
        for truth in rng.uniform(*between, draws):
            hits = rng.binomial(n, 1 / (1 + np.exp(2 * np.log(9) / width * (x - truth))))
            found = fit(x, hits.astype(float), np.full(len(x), float(n)))
            told.append(np.isfinite(found["boundary"]))
            covered.append(found["low"] <= truth <= found["high"])
        covered, told = np.array(covered), np.array(told)
        rows.append((of, f"width {width}", n, float(told.mean()), float(covered[told].mean())))
    return frame_of(rows)


def of_median_time(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """The step by which half have reached the target, looked for after each of 40 epochs. A time is lognormal, and some
    networks never get there. case: the share that never does."""
    rows = []
    looked = np.arange(1, 41.0)
    for never, n in product((0.0, 0.2, 0.4), (8, 32, 100)):
        # What a network does that never gets there is not known at the end: its time is infinite.
        quantile = 0.5 / (1 - never)
        many = np.sort(np.exp(np.log(10) + 0.8 * rng.standard_normal(400_000)))
        truth = looked[np.searchsorted(looked, many[int(quantile * len(many))])]
        times = np.exp(np.log(10) + 0.8 * rng.standard_normal((draws, n)))
        times[rng.random((draws, n)) < never] = np.inf
        seen = np.append(looked, np.nan)[np.searchsorted(looked, times)]
        frame = pd.DataFrame(
            {"draw": np.repeat(np.arange(draws), n), "steps_to_target": seen.ravel(), "steps": looked[-1]}
        )
        found = median_time(frame, "draw")
        covered = float(((found["low"] <= truth) & (truth <= found["high"])).mean())
        rows.append(("median time", f"{never:.0%} never", n, 0.5, covered))
    return frame_of(rows)


def of_edge(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """The interval of a searched edge, wherever it lies between a tenth and nine tenths of what is searched, or within
    its last twentieth.

    case: which way the share goes, over how much of the interval it goes from 90 to 10 %, and what else is asked.
    n: networks at one value. rate: the share of searches that find an edge; covered: of these.
    """
    cases = [
        (("falling" if sign > 0 else "rising") + f", width {width}{words}", sign, width, share, log, low, high)
        for (words, share, log, low, high), sign, width in product(
            (
                ("", 0.5, False, 0.1, 0.9),
                (", share 0.9", 0.9, False, 0.1, 0.9),
                (", log", 0.5, True, 0.1, 0.9),
                (", near an end", 0.5, False, 0.95, 1.0),
            ),
            (1, -1),
            (0.02, 0.1),
        )
    ]
    rows = []
    for case, sign, width, share, log, low, high in cases:
        ends, batch = ((1.0, np.e) if log else (0.0, 1.0)), 8 if share == 0.5 else 35
        covered, told = [], []
        for truth in rng.uniform(low, high, draws):
            search = Search(*ends, log=log, share=share, most=500 if share == 0.5 else 2000, batch=batch)
            while values := search.ask():
                for value in values:
                    distance = sign * (truth - (np.log(value) if log else value)) * 2 * np.log(9) / width
                    hits = rng.binomial(batch, 1 / (1 + np.exp(-distance) * (1 / share - 1)))
                    search.tell(value, int(hits), batch)
            found, place = search.result(), np.exp(truth) if log else truth
            told.append(np.isfinite(found.place))
            covered.append(found.low <= place <= found.high)
        covered, told = np.array(covered), np.array(told)
        rows.append(("edge", case, batch, float(told.mean()), float(covered[told].mean())))
    return frame_of(rows)


def of_precision(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Wilson's interval of a cell that goes on, in rounds of 32, until it is as narrow as was asked, which is the
    case."""
    rows = []
    for precision, rate in product((0.05, 0.1), RATES):
        covered = []
        for _ in range(draws):
            n, hits = 32, int(rng.binomial(32, rate))
            while (more := needed([hits, n - hits], precision, 32, 1000)) > n:
                hits, n = hits + int(rng.binomial(more - n, rate)), more
            low, high = wilson(hits, n)
            covered.append(low <= rate <= high)
        rows.append(("precision", f"{precision}", 32, rate, float(np.mean(covered))))
    return frame_of(rows)


def frame_of(rows: list[tuple[str, str, int, float, float]]) -> pd.DataFrame:
    """what is estimated, in which case, from how many replicates (at each value, or in each group); rate: the true one,
    or of boundary and edge the share of draws in which one is told; covered: the share of draws whose interval has the
    truth."""
    return pd.DataFrame(rows, columns=["of", "case", "n", "rate", "covered"])


def run(draws: int, slow: int, seed: int = 0) -> pd.DataFrame:
    """All of them: so many draws, and so many of what is slow to fit."""
    rng = np.random.default_rng(seed)
    parts = [of_rate(), of_shared_orders(draws, rng), of_difference(draws, rng)]
    parts += [of_boundary(slow, rng), of_median_time(slow, rng)]
    parts += [of_edge(slow, np.random.default_rng([seed, 1]))]
    parts += [of_precision(draws // 4, np.random.default_rng([seed, 2]))]
    parts += [of_depths(slow, np.random.default_rng([seed, 3]))]
    return pd.concat(parts, ignore_index=True)


def summary(results: pd.DataFrame) -> str:
    """summary.md: the mean coverage over the rates, and the least, in percent."""
    sections = [
        "# Summary of results.csv",
        "",
        "Printed by coverage.py. Percent of 95 % intervals that have the truth in",
    ]
    sections += ["them: the mean over the true rates, and the least of any. n: replicates, of each group or value.", ""]
    for of, part in results.groupby("of", sort=False):
        table = part.groupby(["case", "n"], sort=False)["covered"].agg(["mean", "min"]).mul(100).round(1)
        cells = (table["mean"].map("{:.1f}".format) + " (" + table["min"].map("{:.1f}".format) + ")").unstack("n")
        cells = cells[sorted(cells)].fillna("").reset_index()
        sections += [
            f"## {of.capitalize()}",
            "",
            tabulate(cells, headers="keys", tablefmt="github", showindex=False),
            "",
        ]
        silent = 100 * (1 - part["rate"][part["case"].str.endswith("near an end")])
        if len(silent):
            sections += [f"Near an end {silent.min():.0f} to {silent.max():.0f} % of the searches find no edge.", ""]
    return "\n".join(sections)


def draw(results: pd.DataFrame) -> None:
    """coverage.png: the mean coverage of each design, beside what is promised."""
    shared = results["case"].str.startswith("4 orders")
    kind = results["of"].mask(shared, "rate, 4 shared orders").rename("")
    means = 100 * results.groupby([kind, "case", "n"], sort=False)["covered"].mean()
    figure, (ax,) = figures.panels(1, 10, 5.5)
    ax.axvline(95, color="black", linewidth=1)
    shown = means.reset_index()
    options = {"palette": "viridis_r", "size": 5, "legend": "full", "order": sorted(shown[""].unique())}
    sns.swarmplot(shown, x="covered", y="", hue=shown["n"].astype("category"), ax=ax, **options)
    ax.set(xlabel="percent of 95 % intervals that have the truth in them; the line is at 95")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(title="replicates", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(ax=ax)
    figure.savefig(FOLDER / "coverage.png")


def main() -> None:
    if sys.argv[1:] != ["analyse"]:
        run(4000, 400).round(4).to_csv(FOLDER / "results.csv", index=False)
    results = pd.read_csv(FOLDER / "results.csv")
    text = summary(results)
    (FOLDER / "summary.md").write_text(text)
    print(text)
    draw(results)


if __name__ == "__main__":
    main()
