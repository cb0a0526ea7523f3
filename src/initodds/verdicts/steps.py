"""A step of a training, and what it does to the cost: the first one, and one more, like the last."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from initodds.engines.optimizers import Optimizer, State
from initodds.networks.curvature import Landscape, cost_of, pack, unpack
from initodds.networks.network import Layer, Stack

Array = np.ndarray


class Step(NamedTuple):
    """How M networks were trained: the optimizer, with a learning rate that they share; by what the mean gradient is
    multiplied before a step, which is the batch size where gradients are summed; how many steps were taken; by which
    factor a schedule multiplied the learning rate in the first and in the last of them; and what the optimizer had kept
    of each network after that, empty where that is not known."""

    optimizer: Optimizer
    scale: float = 1.0
    taken: int = 0
    factors: tuple[float, float] = (1.0, 1.0)
    states: Sequence[State] = ()

    def of(self, members: Array) -> "Step":
        """That of the networks at these places (K,) alone."""
        return self._replace(states=[self.states[member] for member in members] if self.states else ())


def decay_rate(step: Step | None) -> float:
    """The weight decay that is part of the gradient, as a multiple of the weights beside the mean cost's gradient."""
    return step.optimizer.gradient_decay / step.scale if step else 0.0


def decay_of(stack: Stack, step: Step | None) -> Array:
    """(M, P) what the weight decay adds to the gradient of the cost."""
    return decay_rate(step) * pack(stack.network, stack.weights, stack.biases)


def after_the_first_step(landscape: Landscape, step: Step | None) -> Array:
    """(M,) by what the cost is multiplied by the first step of a training from here, along the whole gradient."""
    if step is None:
        return np.full(landscape.stack.replicates, np.nan)
    return _after_a_step(landscape, step, step.factors[0], _no_slots(landscape, step.optimizer), 1)


def after_the_next_step(landscape: Landscape, step: Step | None) -> Array:
    """(M,) by what the cost is multiplied by one more step, like the last, of a training that has come here; NaN where
    an optimizer remembers, and it is not known what."""
    if step is None or (step.optimizer.remembers and not step.states):
        return np.full(landscape.stack.replicates, np.nan)
    if not step.optimizer.remembers:
        return _after_a_step(landscape, step, step.factors[1], _no_slots(landscape, step.optimizer), step.taken + 1)
    slots = [_packed(landscape, [state.slots[slot] for state in step.states]) for slot in range(step.optimizer.slots)]
    return _after_a_step(landscape, step, step.factors[1], slots, step.states[0].steps + 1)


def _no_slots(landscape: Landscape, optimizer: Optimizer) -> list[Array]:
    """What an optimizer has kept before its first step."""
    return [np.zeros_like(landscape.gradient) for _ in range(optimizer.slots)]


def _packed(landscape: Landscape, layers: Sequence[Sequence[Layer]]) -> Array:
    """Layers of M networks, over all features, as vectors (M, P) of a landscape's."""
    whole = replace(landscape.stack.network, sizes=(len(layers[0][0][0]), *landscape.stack.network.sizes[1:]))
    stack = Stack(whole, layers, np.dtype(np.float64)).restricted(landscape.features.present)
    return pack(stack.network, stack.weights, stack.biases)


def _after_a_step(landscape: Landscape, step: Step, factor: float, slots: list[Array], number: int) -> Array:
    """(M,) by what the cost is multiplied by the step of this number, from 1, along the whole gradient, of an optimizer
    that has kept the `slots` (M, P); `factor`: the schedule's."""
    stack, network = landscape.stack, landscape.stack.network
    place = pack(network, stack.weights, stack.biases)
    gradient = landscape.gradient * step.scale
    if step.optimizer.clip_norm is not None:
        norm = np.linalg.norm(gradient, axis=1, keepdims=True)
        gradient *= step.optimizer.clip_norm / np.maximum(norm, step.optimizer.clip_norm)
    with np.errstate(over="ignore", invalid="ignore"):
        step.optimizer.update(place, gradient, slots, factor * _rates(step.optimizer, stack), number)
        moved = cost_of(_moved_to(stack, place), landscape.features, landscape.targets)
        nothing = (landscape.cost == 0) & (moved == 0)
        factors = np.where(nothing, 1.0, moved / np.maximum(landscape.cost, 1e-300))
        return np.nan_to_num(factors, nan=np.inf, posinf=np.inf)


def _rates(optimizer: Optimizer, stack: Stack) -> Array:
    """(M, P) the learning rate of each parameter of a stack, laid out as `pack` has them."""
    of_layers = optimizer.rates(stack.replicates, len(stack.biases)).T[:, :, None, None]
    weights = [np.broadcast_to(rates, each.shape) for rates, each in zip(of_layers[1:], stack.weights[1:], strict=True)]
    biases = [np.broadcast_to(rates, each.shape) for rates, each in zip(of_layers, stack.biases, strict=True)]
    units = stack.network.sizes[1]
    first = np.broadcast_to(np.repeat(of_layers[0].ravel(), units), stack.weights[0].shape)
    return pack(stack.network, [first, *weights], biases)


def _moved_to(stack: Stack, place: Array) -> Stack:
    """A stack of the same network with the parameters (M, P) in place of its own."""
    moved = copy.copy(stack)
    moved.weights, moved.biases = unpack(stack.network, place)
    return moved
