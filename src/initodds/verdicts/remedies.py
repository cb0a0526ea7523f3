"""What is worth trying against a cause, one entry a change: plain settings in, the keys that it sets out.

A change is asked with the settings of a cell as plain data, nested as conf/ has them, and says what it would set, by
dotted keys; the option of a group by the group's name, as in `{"init": "xavier_uniform"}`. It says nothing where it is
so already, or does not fit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from initodds.engines.optimizers import SGD, Adam, Optimizer
from initodds.networks.activations import Linear
from initodds.networks.network import Network
from initodds.verdicts.causes import BY_NAME

Plain = Mapping[str, Any]
"""The settings of a cell as plain data."""
Values = dict[str, Any]

RATE_OF_ADAM = 0.01
"""Adam's steps are about this long for every weight, whatever the gradient."""
WIDER = 4
"""By which the units of each hidden layer are multiplied."""


@dataclass(frozen=True)
class Facts:
    """What is made of the settings: the data set's task, the network, and the optimizer."""

    task: str
    network: Network
    optimizer: Optimizer


@dataclass(frozen=True)
class Change:
    """values: what it sets, or None; see this module.  words: what to do, with the values by their keys' last part."""

    name: str
    values: Callable[[Plain, Facts], Values | None]
    words: str


@dataclass(frozen=True)
class Remedy:
    """A change, or several together, as they are for one cell.

    words: what to do.  values: what is set.  size: how many settings that changes.
    """

    words: str
    values: Values

    @property
    def size(self) -> int:
        return len(self.values)

    @property
    def text(self) -> str:
        """As the command line has it: `init=he_normal sgd.learning_rate=0.3`."""
        return " ".join(f"{key}={_text(value)}" for key, value in self.values.items())


def remedies_of(causes: Sequence[str], asked: Plain, facts: Facts) -> list[Remedy]:
    """What is worth trying for a cell whose networks have these causes, the most frequent first; nothing twice.

    >>> asked = {"sgd": {"learning_rate": 3.0}, "schedule": {"name": "cosine"}, "data": {"scale": "standardize"}}
    >>> facts = Facts("regression", Network((1, 1), output="linear"), Adam(3.0))
    >>> [remedy.text for remedy in remedies_of(["unsteady"], asked, facts)]
    ['sgd.learning_rate=0.3', 'sgd.learning_rate=0.03']
    """
    names = dict.fromkeys(name for cause in causes for name in BY_NAME[cause].remedies)
    remedies: list[Remedy] = []
    for name in names:
        values = CHANGES[name].values(asked, facts)
        if values and all(values != other.values for other in remedies):
            remedies.append(Remedy(_words(CHANGES[name].words, values), values))
    return remedies


def together(first: Remedy, second: Remedy) -> Remedy | None:
    """Both remedies at once; None where they set the same key to different values, or one is a part of the other."""
    if any(first.values[key] != second.values[key] for key in first.values.keys() & second.values):
        return None
    values = {**first.values, **second.values}
    if values in (first.values, second.values):
        return None
    return Remedy(f"{first.words}, and {second.words[0].lower()}{second.words[1:]}", values)


def _words(template: str, values: Values) -> str:
    return template.format(**{key.rpartition(".")[2]: _text(value) for key, value in values.items()})


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _rate(factor: float) -> Callable[[Plain, Facts], Values | None]:
    return lambda asked, facts: {"sgd.learning_rate": float(f"{factor * asked['sgd']['learning_rate']:.6g}")}


def _steps(asked: Plain, facts: Facts) -> Values | None:
    return {"sgd.epochs": 10 * asked["sgd"]["epochs"]}


def _small_batch(asked: Plain, facts: Facts) -> Values | None:
    batch = asked["sgd"]["batch_size"]
    return {"sgd.batch_size": max(1, batch // 10)} if batch > 1 else None


def _momentum(asked: Plain, facts: Facts) -> Values | None:
    is_plain = isinstance(facts.optimizer, SGD) and not facts.optimizer.momentum
    return {"optimizer.momentum": 0.9} if is_plain else None


def _adam(asked: Plain, facts: Facts) -> Values | None:
    if isinstance(facts.optimizer, Adam):
        return None
    return {"optimizer": "adam", "sgd.learning_rate": RATE_OF_ADAM}


def _clip(asked: Plain, facts: Facts) -> Values | None:
    return {"optimizer.clip_norm": 1.0} if "clip_norm" in asked["optimizer"] else None


def _no_decay(asked: Plain, facts: Facts) -> Values | None:
    return {"optimizer.weight_decay": 0.0} if facts.optimizer.weight_decay else None


def _cosine(asked: Plain, facts: Facts) -> Values | None:
    return {"schedule.name": "cosine"} if asked["schedule"]["name"] != "cosine" else None


def _init_of_activation(asked: Plain, facts: Facts) -> Values | None:
    """The init whose variance theory gives for the units of the first hidden layer, see `Activation.fitting_init`."""
    first = facts.network.activations[0] if facts.network.activations else Linear()
    return {"init": first.fitting_init}


def _init_centred(asked: Plain, facts: Facts) -> Values | None:
    """The same range with its mean taken off."""
    low, high = asked["init"].get("low"), asked["init"].get("high")
    if low is None or high is None or low + high == 0:
        return None
    return {"init": "uniform", "init.low": (low - high) / 2, "init.high": (high - low) / 2}


def _init(option: str) -> Callable[[Plain, Facts], Values | None]:
    return lambda asked, facts: {"init": option}


def _scale(to: str, only_from: tuple[str, ...]) -> Callable[[Plain, Facts], Values | None]:
    return lambda asked, facts: {"data.scale": to} if asked["data"]["scale"] in only_from else None


def _standardize_targets(asked: Plain, facts: Facts) -> Values | None:
    wanted = facts.task == "regression" and asked["data"]["scale_targets"] != "standardize"
    return {"data.scale_targets": "standardize"} if wanted else None


def _standardize_all(asked: Plain, facts: Facts) -> Values | None:
    inputs = {} if asked["data"]["scale"] == "standardize" else {"data.scale": "standardize"}
    return inputs | (_standardize_targets(asked, facts) or {}) or None


def _activation(name: str, init: str | None = None) -> Callable[[Plain, Facts], Values | None]:
    def values(asked: Plain, facts: Facts) -> Values | None:
        if not asked["network"]["hidden"] or asked["network"]["activation"] == name:
            return None
        return {"network.activation": name} | ({"init": init} if init else {})

    return values


def _linear_output(asked: Plain, facts: Facts) -> Values | None:
    if asked["network"]["output"] == "linear":
        return None
    squared = asked["network"]["cost"] in ("quadratic", "mean_squared")
    return {"network.output": "linear"} | ({} if squared else {"network.cost": "mean_squared"})


def _logistic_output(asked: Plain, facts: Facts) -> Values | None:
    return {"network.output": "logistic"} if asked["network"]["output"] != "logistic" else None


def _cross_entropy(asked: Plain, facts: Facts) -> Values | None:
    """Logistic outputs keep their kind; without the slope in it the error is up to ten times as large, so that rates
    over 1 are taken down."""
    if facts.task != "classification" or asked["network"]["cost"] == "cross_entropy":
        return None
    output = asked["network"]["output"]
    values: Values = {} if output in ("logistic", "softmax") else {"network.output": "softmax"}
    if facts.network.sizes[-1] < 2 and output != "logistic":
        values = {"network.output": "logistic"}
    values["network.cost"] = "cross_entropy"
    if asked["sgd"]["learning_rate"] > 1:
        values["sgd.learning_rate"] = asked["sgd"]["learning_rate"] / 10
    return values


def _wider(asked: Plain, facts: Facts) -> Values | None:
    hidden = asked["network"]["hidden"]
    return {"network.hidden": [WIDER * units for units in hidden]} if hidden else None


def _shallower(asked: Plain, facts: Facts) -> Values | None:
    hidden = asked["network"]["hidden"]
    if len(hidden) < 2 or isinstance(asked["network"]["activation"], list):
        return None
    return {"network.hidden": hidden[: len(hidden) // 2]}


CHANGES: dict[str, Change] = {
    change.name: change
    for change in (
        Change("rate_div10", _rate(0.1), "Take a learning rate of {learning_rate}"),
        Change("rate_div100", _rate(0.01), "Take a learning rate of {learning_rate}"),
        Change("rate_x10", _rate(10), "Take a learning rate of {learning_rate}"),
        Change("rate_x100", _rate(100), "Take a learning rate of {learning_rate}"),
        Change("steps_x10", _steps, "Train for {epochs} epochs"),
        Change("small_batch", _small_batch, "Take batches of {batch_size}"),
        Change("momentum", _momentum, "Train with a momentum of {momentum}"),
        Change("adam", _adam, "Train with Adam, at a rate of {learning_rate}"),
        Change("clip", _clip, "Clip the gradient at a norm of {clip_norm}"),
        Change("no_decay", _no_decay, "Train without weight decay"),
        Change("cosine", _cosine, "Let the learning rate fall to 0 along a cosine"),
        Change("init_of_activation", _init_of_activation, "Draw the weights with {init}"),
        Change("init_lecun", _init("lecun_normal"), "Draw the weights with {init}"),
        Change("init_unit_normal", _init("gaussian"), "Draw the weights from N(0, 1), with {init}"),
        Change("init_centred", _init_centred, "Draw the weights from U[{low}, {high}], the mean taken off"),
        Change("scale_inputs", _scale("unit", ("raw",)), "Scale the inputs to at most 1"),
        Change("standardize_inputs", _scale("standardize", ("raw", "unit", "minmax")), "Standardize the inputs"),
        Change("standardize_targets", _standardize_targets, "Standardize the targets"),
        Change("standardize_all", _standardize_all, "Standardize inputs and targets"),
        Change("tanh", _activation("tanh", "xavier_uniform"), "Take tanh units, drawn with {init}"),
        Change("logistic", _activation("logistic"), "Take logistic units"),
        Change("relu", _activation("relu", "he_normal"), "Take ReLU units, drawn with {init}"),
        Change("leaky_relu", _activation("leaky_relu"), "Take leaky ReLU units"),
        Change("linear_output", _linear_output, "Take linear outputs"),
        Change("logistic_output", _logistic_output, "Take logistic outputs"),
        Change("cross_entropy", _cross_entropy, "Take the cross-entropy as the cost"),
        Change("wider", _wider, "Take wider hidden layers, {hidden}"),
        Change("shallower", _shallower, "Take fewer hidden layers, {hidden}"),
    )
}
"""Every change by its name, which causes know it by."""
