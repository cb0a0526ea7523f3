"""What a report says of a sweep in sentences, each made of its frames alone."""

import pandas as pd

from initodds.statistics.rates import CONFIDENCE
from initodds.sweeps.report_pictures import differing
from initodds.vocabulary import OUTCOMES, SCORES

SCORE_WORDS = {"accuracy": "accuracy", "r_squared": "R\N{SUPERSCRIPT TWO}"}
JUDGED_ON = "on the test set (on the training set, where there is no other)"


def counted(count: int, noun: str) -> str:
    """How many: `1 cell`, `2 cells`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def cells(frame: pd.DataFrame, by: list[str]) -> str:
    """How many cells there are, and what they differ in: `4 cells that differ in init, sgd.learning_rate`."""
    apart = differing(frame, by)
    number = len(frame[["cell", *apart]].drop_duplicates())
    return counted(number, "cell") + (f" that differ in {', '.join(apart)}" if apart else "")


def same_in_all(frame: pd.DataFrame, keys: list[str]) -> list[tuple[str, str]]:
    """(key, value) of those settings that all cells have alike."""
    shown = [key for key in dict.fromkeys(keys) if key in frame]
    apart = differing(frame, shown)
    return [(key, str(frame[key].iloc[0])) for key in shown if key not in apart]


def extremes(of_cells: pd.DataFrame, by: list[str]) -> list[str]:
    """The cells with the greatest and the least share converged, or what all of them have; a sentence each."""
    converged = of_cells[of_cells["outcome"] == "converged"]
    if len(converged) == 1:
        return [f"Converged: {spell(converged.iloc[0])}."]
    if converged["rate"].max() == converged["rate"].min():
        smallest = spell(converged.loc[converged["n"].idxmin()])
        if converged["n"].min() < converged["n"].max():
            smallest = f"{100 * converged['rate'].iloc[0]:.0f} %; in that of the fewest networks, {smallest}"
        return [f"Converged, in each of {len(converged)} cells alike: {smallest}."]
    return [
        f"Most often converged: {_extreme(converged, by, 'max')}",
        f"Least often: {_extreme(converged, by, 'min')}",
    ]


def _extreme(converged: pd.DataFrame, by: list[str], end: str) -> str:
    """The cell with the greatest ("max") or least ("min") share converged, and how many others have the same."""
    alike = converged[converged["rate"] == getattr(converged["rate"], end)()]
    others = f", and {counted(len(alike) - 1, 'other cell')} alike" if len(alike) > 1 else ""
    return f"{_cell_name(alike.iloc[0], by)}, {spell(alike.iloc[0])}{others}."


def _cell_name(row: pd.Series, by: list[str]) -> str:
    """A cell by the settings it differs in: `init half, batch_size 10`."""
    return ", ".join(f"{key.split('.')[-1]} {row[key]}" for key in by)


def spell(row: pd.Series) -> str:
    """A rate with its n and interval: `31 of 32, 97 % [84, 99]`."""
    share, low, high = (100 * row[key] for key in ("rate", "low", "high"))
    return f"{row['count']} of {row['n']}, {share:.0f} % [{low:.0f}, {high:.0f}]"


def never_seen(of_cells: pd.DataFrame) -> str:
    """The outcomes that no cell has, and what can be said of their rates; "" where all were seen."""
    unseen = [o for o in OUTCOMES if not of_cells.loc[of_cells["outcome"] == o, "count"].any()]
    if not unseen:
        return ""
    bound = 100 * of_cells.loc[of_cells["outcome"].isin(unseen), "high"].max()
    in_any = " in any cell" if len(of_cells) > len(OUTCOMES) else ""
    *most, last = unseen
    words = f"{', '.join(most)} or {last}" if most else last
    return f"No network is {words}: at most {bound:.0f} % would be compatible with that{in_any}."


def compared(table: pd.DataFrame) -> str:
    """How many settings can be told apart by what; `table` is that of `compare`."""
    apart = int((table["p_holm"] < 1 - CONFIDENCE).sum())
    return (
        f"Can be told apart: {apart} of {counted(len(table), 'pair')}. Differences of the shares converged, with 95 %"
        " interval, and p of a test, adjusted for the number of pairs (Holm)."
        f" Method: {'; '.join(sorted(table['method'].unique()))}."
    )


def definitions(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """(outcome, when it holds) in the order in which they are asked for, as the tasks of these replicates have them."""
    scores = [name for name in SCORES if name in frame and frame[name].notna().any()]
    score = " (".join(SCORE_WORDS[name] for name in scores) + ", of a regression)" * (len(scores) > 1)
    constant = {"accuracy": "always naming one class", "r_squared": "one answer to every example"}
    part = {
        "accuracy": "at least one class is hardly ever recognised",
        "r_squared": "at least one output is not learned",
    }
    partial = ", or ".join(part[name] for name in scores)
    if "outcome.every_example" in frame and (frame["outcome.every_example"] == True).any():  # noqa: E712  of objects
        where = frame.loc[frame["outcome.every_example"] == True, "data"].unique()  # noqa: E712
        partial += f"; of {', '.join(map(str, where))}, where every example counts, if one is wrong"
    one_answer = " or ".join(constant[name] for name in scores)
    return [
        ("diverged", "a weight or the cost is not finite"),
        ("stuck", f"the {score} {JUDGED_ON} cannot be told from that of {one_answer}"),
        ("partial", partial),
        ("converged", f"the {score} is at or over the target, {target(frame)}"),
        ("unfinished", "the rest"),
    ]


def target(frame: pd.DataFrame) -> str:
    """The score that networks were to reach: `85 %`; where it goes by the data, which where; where cells of the same
    data have several, all: `85 % or 95 %`; of a regression as a number."""
    pairs = frame[["data", "outcome.target"]].drop_duplicates()
    if len(set(pairs["outcome.target"])) > 1 and not pairs["data"].duplicated().any():
        return ", ".join(f"{_targets(part)} of {name}" for name, part in frame.groupby("data", sort=False))
    return _targets(frame)


def _targets(frame: pd.DataFrame) -> str:
    is_regression = "accuracy" not in frame or frame["accuracy"].isna().all()
    values = sorted(frame["outcome.target"].unique())
    return " or ".join(f"{value:.4g}" if is_regression else f"{100 * value:.4g} %" for value in values)


def reasons(frame: pd.DataFrame) -> pd.DataFrame:
    """What those that did not converge were found to suffer from: columns cause, networks, outcomes, example (what is
    said of one of them) and run_id (its run, "" where it has none), the most frequent first; no row where nothing was
    diagnosed. `none` is said of those with whom nothing wrong is seen."""
    rows = []
    for cause, group in frame[frame["cause"] != ""].groupby("cause", sort=False):
        outcomes = group["outcome"].value_counts()
        words = ", ".join(f"{outcomes[o]} {o}" for o in OUTCOMES if outcomes.get(o, 0))
        first = group.iloc[0]
        rows.append((cause, len(group), words, first["explanation"], first["run_id"]))
    table = pd.DataFrame(rows, columns=["cause", "networks", "outcomes", "example", "run_id"])
    return table.sort_values("networks", ascending=False, kind="stable")
