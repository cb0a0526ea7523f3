"""By how much an activation wants its layer's weights larger than a linear layer's."""

import math

from initodds.vocabulary import InputError

GAINS = {
    # As PyTorch's torch.nn.init.calculate_gain has them.
    "linear": 1.0,
    "logistic": 1.0,
    "softmax": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
    # PyTorch has none for these. As He et al. (2015) derive ReLU's: 1 / sqrt(E f(z)^2) for z of the law N(0, 1), so
    # that the next layer's pre-activations have the same mean square as this one's.
    "elu": 1.2451983007007066,
    "gelu": 1.5335304411955353,
    "silu": 1.6765324703310907,
    "softplus": 1.0418668355353016,
}
"""The gain of each activation: the factor for the standard deviation of the weights, its square for the variance."""


def gain_of(activation: str, slope: float = 0.01) -> float:
    """The gain of an activation; `slope` is leaky_relu's, whose gain is sqrt(2 / (1 + slope^2)).

    Raises InputError for an activation that has none.

    >>> gain_of("tanh"), round(gain_of("leaky_relu", slope=0.2), 4)
    (1.6666666666666667, 1.3868)
    """
    if activation == "leaky_relu":
        return math.sqrt(2 / (1 + slope**2))
    if activation not in GAINS:
        raise InputError(f"init.gain=auto: no gain is known for {activation}; one for {', '.join(GAINS)}, leaky_relu")
    return GAINS[activation]
