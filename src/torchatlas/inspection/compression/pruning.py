"""Pruning: weights that are 0 and stay it while the others learn on."""

import copy
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from ...cards.card import method
from ...engine.errors import UsageError

M = TypeVar("M", bound=nn.Module)
SCOPES = ("layer", "global")
PRUNED = (nn.Linear, _ConvNd)  # the layers whose `weight` is pruned


@method("pruning_magnitude", year=2015, paper="arXiv:1506.02626", topics=("compression", "pruning"))
def pruning_magnitude(model: M, sparsity: float = 0.9, scope: str = "layer") -> M:
    r"""Magnitude pruning: the smallest weights become 0 and stay 0 in the training that follows.

    Of $n$ weights of the linear and convolution layers, those $\text{round}(\text{sparsity} \cdot n)$ with
    the smallest $|w|$ go; of equal ones, those that come first. Biases, norms and embeddings stay.
    scope: "layer" counts in each layer, "global" over all of them, so that some may lose more than others.

    Gives a copy, whose masks are parametrizations of the weights: `make_permanent` takes them off and leaves
    the zeros. Pruning what is pruned already takes the old zeros first (prune, train, prune more …).
    Raises UsageError for a model without such layers.
    """
    if not 0 <= sparsity < 1:
        raise UsageError(f"sparsity must be at least 0 and below 1, not {sparsity}")
    if scope not in SCOPES:
        raise UsageError(f"scope must be {' or '.join(SCOPES)}, not {scope!r}")
    pruned = make_permanent(copy.deepcopy(model))
    places = _places(pruned)
    if not places:
        raise UsageError("the model has no linear or convolution layer to prune")
    weights = list(places)
    groups = [weights] if scope == "global" else [[weight] for weight in weights]
    for group in groups:
        for weight, keep in zip(group, _largest(group, sparsity), strict=True):
            with torch.no_grad():
                weight.mul_(keep)  # what the mask hides is 0 as well: an optimizer finds nothing there
            for module in places[weight]:
                parametrize.register_parametrization(module, "weight", Mask(keep))
    return pruned


class Mask(nn.Module):
    """A weight whose places outside `keep` are 0 and take no gradient."""

    keep: Tensor

    def __init__(self, keep: Tensor):
        super().__init__()
        self.register_buffer("keep", keep)

    def forward(self, weight: Tensor) -> Tensor:
        return torch.where(self.keep, weight, 0.0)


def make_permanent(model: M) -> M:
    """Take the masks off a pruned model, in place; its weights keep their zeros and are plain again."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            masks = cast("parametrize.ParametrizationList", module.parametrizations["weight"])  # type: ignore[index]
            if all(isinstance(mask, Mask) for mask in masks):
                _own_class(module)
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
                for name in [name for name in module._parameters if name != "weight"]:
                    module._parameters[name] = module._parameters.pop(name)  # behind the weight, as before
    return model


def _own_class(module: nn.Module) -> None:
    """A class of its own for a module with masks: copies share theirs, and taking masks off changes it."""
    kind = type(module)
    words = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    module.__class__ = type(kind.__name__, kind.__bases__, words)


def density(model: nn.Module) -> tuple[int, int]:
    """How many weights of the linear and convolution layers are not 0, and how many there are."""
    weights = list(_places(model))
    return sum(int(weight.count_nonzero()) for weight in weights), sum(weight.numel() for weight in weights)


def _places(model: nn.Module) -> dict[Tensor, list[nn.Module]]:
    """The weights to prune, each once, with all modules that have it as their `weight` (ties too)."""
    places: dict[Tensor, list[nn.Module]] = {}
    for module in model.modules():
        if isinstance(module, PRUNED):
            places.setdefault(module.weight, [])
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight in places:
            places[weight].append(module)
    return places


def _largest(weights: list[Tensor], sparsity: float) -> list[Tensor]:
    """Masks of the weights that stay."""
    sizes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    keep = torch.ones_like(sizes, dtype=torch.bool)
    keep[sizes.argsort(stable=True)[: round(sparsity * len(sizes))]] = False
    parts = keep.split([weight.numel() for weight in weights])
    return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
