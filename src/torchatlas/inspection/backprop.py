"""Backpropagation by hand: the chain rule through a list of layers, without autograd."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..cards.card import method
from ..engine.errors import UsageError

Gradients = dict[str, Tensor]
Back = tuple[Tensor, Gradients]  # the gradient by the layer's input, and by its own parameters


@dataclass(frozen=True)
class Passes:
    """What both passes gave: the mean loss, the scores, gradients by parameters' names and by the input."""

    loss: Tensor
    scores: Tensor
    gradients: Gradients
    input_gradient: Tensor


@method("backprop", year=1986, paper="Rumelhart et al., Nature 323", topics=("optimization",))
def backprop(model: nn.Sequential, x: Tensor, target: Tensor, loss: str = "cross_entropy") -> Passes:
    r"""Backpropagation: the gradient of a chain of layers, from the last to the first, by hand.

    Forward keeps what each layer saw and gave. Backward begins with $\delta = \partial L / \partial z$ of the
    scores and goes, layer by layer, from the gradient of its output to that of its input: $W^T \delta$ and
    $\delta \odot \phi'(z)$, taking $\delta a^T$ for weights and $\delta$ for biases on the way, summed over
    the batch. `backward` of PyTorch does this for any graph; here it is to be read.
    Layers: Linear, ReLU, Tanh, Sigmoid, Flatten and Identity. loss: "cross_entropy" with class numbers
    (batch,), or "squared_error", the mean over all numbers, with values.
    Raises UsageError for another layer or loss.
    """
    if loss not in LOSSES:
        raise UsageError(f"loss is {' or '.join(LOSSES)}, not {loss!r}")
    for name, layer in model.named_children():
        if type(layer) not in RULES:
            raise UsageError(f"layer {name} is {type(layer).__name__}: its rule is not written here")
    with torch.no_grad():
        seen = []
        for layer in model:
            seen.append(x)
            x = layer(x)
        scores, outputs = x, [*seen[1:], x]
        value, delta = LOSSES[loss](scores, target)
        found: Gradients = {}
        for (name, layer), before, after in reversed(
            list(zip(model.named_children(), seen, outputs, strict=True))
        ):
            delta, own = RULES[type(layer)](layer, before, after, delta)
            found |= {f"{name}.{word}": gradient for word, gradient in own.items()}
    names = [name for name, _ in model.named_parameters()]
    return Passes(value, scores, {name: found[name] for name in names}, delta)


def _linear(layer: nn.Module, before: Tensor, after: Tensor, delta: Tensor) -> Back:
    assert isinstance(layer, nn.Linear)
    rows, upper = before.reshape(-1, layer.in_features), delta.reshape(-1, layer.out_features)
    own = {"weight": upper.T @ rows}
    if layer.bias is not None:
        own["bias"] = upper.sum(0)
    return delta @ layer.weight, own


def _relu(layer: nn.Module, before: Tensor, after: Tensor, delta: Tensor) -> Back:
    return delta * (before > 0), {}


def _tanh(layer: nn.Module, before: Tensor, after: Tensor, delta: Tensor) -> Back:
    return delta * (1 - after.square()), {}


def _sigmoid(layer: nn.Module, before: Tensor, after: Tensor, delta: Tensor) -> Back:
    return delta * after * (1 - after), {}


def _reshaped(layer: nn.Module, before: Tensor, after: Tensor, delta: Tensor) -> Back:
    return delta.view_as(before), {}


def _cross_entropy(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    shifted = scores - scores.amax(1, keepdim=True)
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    true = nn.functional.one_hot(target, scores.shape[1]).to(scores.dtype)
    return -(true * log_p).sum() / len(scores), (log_p.exp() - true) / len(scores)


def _squared_error(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    apart = scores - target
    return apart.square().mean(), 2 * apart / apart.numel()


LOSSES: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "cross_entropy": _cross_entropy,
    "squared_error": _squared_error,
}
RULES: dict[type[nn.Module], Callable[[nn.Module, Tensor, Tensor, Tensor], Back]] = {
    nn.Linear: _linear,
    nn.ReLU: _relu,
    nn.Tanh: _tanh,
    nn.Sigmoid: _sigmoid,
    nn.Flatten: _reshaped,
    nn.Identity: _reshaped,
}
