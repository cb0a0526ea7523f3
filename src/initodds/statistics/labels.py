"""Settings as the labels of a figure. Loads nothing that draws."""

from collections.abc import Iterator, Mapping

import pandas as pd


def short(key: str, value: object) -> str:
    """A setting as a label: the value alone for an init, else the key's last word and the value.

    >>> short("init", "half"), short("sgd.batch_size", 10)
    ('half', 'batch_size 10')
    """
    return str(value) if key == "init" else f"{key.split('.')[-1]} {value}"


def label_of(values: Mapping[str, object]) -> str:
    """Several settings as one label."""
    return ", ".join(short(key, value) for key, value in values.items())


def labels_of(frame: pd.DataFrame, by: list[str], between: str) -> Iterator[str]:
    """The values of `by` of each row as a label; each as its own column has it, 10 beside 0.3 too."""
    for values in frame[by].astype(object).to_numpy():  # of no column, as many empty rows, with every pandas
        yield between.join(short(key, value) for key, value in zip(by, values, strict=True))
