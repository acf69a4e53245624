"""Explanations by a layer's maps: where in the picture is what speaks for a class."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...cards.card import method
from ...engine.errors import UsageError
from ..gradients import Model, class_scores, evaluating

Layer = nn.Module | str | None  # a part, its name or the end of it; None is the last that gives a map


@method(
    "gradcam",
    year=2016,
    paper="arXiv:1610.02391",
    aliases=("grad_cam",),
    topics=("explainability", "vision"),
)
def gradcam(model: Model, x: Tensor, y: Tensor | None = None, *, layer: Layer = None) -> Tensor:
    r"""Grad-CAM: a layer's maps, each weighed by how much the class's score rises with it.

    $L = \mathrm{ReLU}(\sum_k \alpha_k A_k)$, $\alpha_k = \mathrm{mean}_{ij} \partial S_y/\partial A_{kij}$:
    A the layer's maps, $S_y$ the score before the softmax. L is enlarged bilinearly to the image's size.
    Where a mean over the map and one linear layer follow, it is ReLU(CAM)/hw.

    model: a module, asked in evaluation mode. y: the class to explain, (batch,); without it, the one that
    the model sees. layer: a part of the model or its name ("stages.2"); the last one that gives a map.
    Shapes: (batch, channels, height, width) -> (batch, height, width).
    Raises UsageError for a model without maps, as of tokens, and for a layer that is not there.
    """
    return _weighed(model, x, y, layer, lambda maps, slope: slope.mean((2, 3), keepdim=True))


@method(
    "gradcam_pp",
    year=2017,
    paper="arXiv:1710.11063",
    aliases=("grad_cam_pp",),
    topics=("explainability", "vision"),
)
def gradcam_pp(model: Model, x: Tensor, y: Tensor | None = None, *, layer: Layer = None) -> Tensor:
    r"""Grad-CAM++: Grad-CAM whose weights count each place of a map by its share in the score.

    $w_k = \sum_{ij} \alpha_{kij} \mathrm{ReLU}(g_{kij})$, $\alpha = g^2 / (2 g^2 + g^3 \sum_{ab} A_{kab})$,
    $g = \partial S_y / \partial A$, so that several small things of a class count like one large. The paper
    explains $e^{S_y}$, a factor of the whole map that is left out here; α is 0 where g is.

    Arguments, shapes and errors are `gradcam`'s.
    """

    def weigh(maps: Tensor, slope: Tensor) -> Tensor:
        below = 2 * slope**2 + slope**3 * maps.sum((2, 3), keepdim=True)
        share = slope**2 / torch.where(below == 0, 1, below)
        return (share * slope.relu()).sum((2, 3), keepdim=True)

    return _weighed(model, x, y, layer, weigh)


@method("cam", year=2015, paper="arXiv:1512.04150", topics=("explainability", "vision"))
def cam(model: Model, x: Tensor, y: Tensor | None = None, *, layer: Layer = None) -> Tensor:
    r"""Class activation map: the last maps, weighed by the class's row of the last layer.

    $M = \sum_k w_{yk} A_k$, enlarged bilinearly; the mean of M before that is the score without its bias.
    For networks that end in a mean over the map and one linear layer (GoogLeNet, ResNet and most since).

    Arguments and shapes are `gradcam`'s.
    Raises UsageError as `gradcam` does, and for a network that ends otherwise.
    """
    with evaluating(model), torch.no_grad():
        part = _part(model, x, layer)
        *_, head = part, *(one for one in _network(model).modules() if isinstance(one, nn.Linear))
        found = {one: (given, made) for one, given, made in _ended(model, x, part, head)}
        (_, maps), (features, scores) = found[part], found[head]
        if not isinstance(head, nn.Linear) or not _alike(features, _map(maps).mean((2, 3))):
            raise UsageError("the network does not end in a mean over this map and one linear layer")
        return _enlarged(torch.einsum("bk,bkhw->bhw", head.weight[class_scores(scores, y)[1]], maps), x)


def _weighed(
    model: Model, x: Tensor, y: Tensor | None, layer: Layer, weigh: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """ReLU(Σ w A) at the image's size; `weigh` makes w (b, k, 1, 1) of the maps A and their gradient."""
    with evaluating(model), torch.enable_grad():
        part, x = _part(model, x, layer), x.detach().requires_grad_()
        kept: list[Tensor] = []

        def keep(_: nn.Module, __: object, made: Tensor) -> Tensor:
            kept.append(_map(made))
            return made.clone()  # what follows may write into it

        hook = part.register_forward_hook(keep)
        try:
            scores, _ = class_scores(model(x), y)
        finally:
            hook.remove()
        (slope,) = torch.autograd.grad(scores.sum(), kept[-1:], allow_unused=True)
    if slope is None:
        raise UsageError("the model's answer does not hang on this layer's map")
    maps = kept[-1].detach()
    return _enlarged((weigh(maps, slope) * maps).sum(1).relu(), x)


def _part(model: Model, x: Tensor, layer: Layer) -> nn.Module:
    """The part of the model whose maps are asked for: of a group that is not called, its last one that is."""
    model = _network(model)
    if x.ndim != 4:
        raise UsageError(f"maps are of images (batch, channels, height, width), not of {tuple(x.shape)}")
    with torch.no_grad():
        ended = _ended(model, x[:1], model if layer is None else _named(model, layer))
    if layer is None:  # the last one of more than one pixel, unless tokens follow
        ended = [each for each in ended if isinstance(each[2], Tensor) and _places(each[2]) > 1]
        if not ended or ended[-1][2].ndim != 4:
            raise UsageError(
                "the model does not end in maps (batch, channels, height, width): name a layer; or saliency"
            )
    if not ended:
        raise UsageError(f"layer={layer!r} is not used for the model's answer")
    return ended[-1][0]


def _network(model: Model) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise UsageError("this explanation looks into a network: give an nn.Module, not a function")
    return model


def _named(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    """A part of the model by its name, or the end of it."""
    if isinstance(layer, nn.Module):
        if not any(layer is part for part in model.modules()):
            raise UsageError(f"the layer is no part of the model: {type(layer).__name__}")
        return layer
    parts = dict(model.named_modules())
    named = [layer] if layer in parts else [name for name in parts if name.endswith(f".{layer}")]
    if len(named) != 1:
        near = named or get_close_matches(layer, parts, 5, 0.3)
        raise UsageError(f"layer={layer!r} names {len(named)} parts of the model; take one like {near}")
    return parts[named[0]]


def _places(made: Tensor) -> int:
    return made[0, 0].numel() if made.ndim > 2 else 0


def _ended(model: Model, x: Tensor, *watched: nn.Module) -> list[tuple[nn.Module, Any, Any]]:
    """Parts below those watched with what they were given and made, in the order in which they end."""
    ended: list[tuple[nn.Module, Any, Any]] = []
    parts = dict.fromkeys(part for root in watched for part in root.modules())

    def note(part: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        ended.append((part, given[0] if given else None, made))

    hooks = [part.register_forward_hook(note) for part in parts]
    try:
        model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return ended


def _map(made: object) -> Tensor:
    if not isinstance(made, Tensor) or made.ndim != 4:
        raise UsageError(
            f"the layer gives no map (batch, channels, height, width): {getattr(made, 'shape', made)}"
        )
    return made


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-2, atol=1e-2 * float(b.abs().max()))


def _enlarged(maps: Tensor, x: Tensor) -> Tensor:
    """(b, h, w) of the layer to the image's height and width."""
    return interpolate(maps[:, None], size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0].detach()
