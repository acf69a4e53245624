"""Laws of compression: the model given stays whole; what a sparse one has lost, it never gets back."""

import copy
import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...cards.card import Card
from ...cards.reader import get
from .law import Check, close, draw, must, tiny

SPARSITIES = (0.0, 0.5, 0.77, 0.9)
LAYERS = ("conv", "body", "head")


class _Model(nn.Module):
    """A convolution, a norm, two linear layers and an embedding, with weights that are equal in size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5)
        self.body, self.head = nn.Linear(5, 13), nn.Linear(13, 4)
        self.words = nn.Embedding(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(self.conv(x)).relu().mean((2, 3)) + self.words.weight.sum(0)
        return self.head(self.body(hidden).tanh())


def _model() -> _Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _Model()
    with torch.no_grad():
        model.body.weight.mul_(8).round_().div_(8)  # many of one size, zeros among them
    return model


def _batch() -> tuple[Tensor, Tensor]:
    return draw(6, 2, 5, 5), torch.arange(6) % 4


def _scopes(card: Card) -> tuple[dict[str, str], ...]:
    knows = "scope" in inspect.signature(get(card.name)).parameters
    return ({"scope": "layer"}, {"scope": "global"}) if knows else ({},)


def _weight(model: nn.Module, layer: str) -> Tensor:
    weight: Any = model.get_submodule(layer).weight
    values: Tensor = weight.detach()
    return values


def the_model_given_stays_whole(card: Card) -> None:
    """It gives another model of the same outputs' shape; the old one keeps its weights and modes."""
    model = _model()
    before = copy.deepcopy(model.state_dict())
    small = tiny(card)(model)
    must(small is not model, f"{card.name} gives the model back that it was given")
    same = before.keys() == model.state_dict().keys()
    same = same and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    must(same, f"{card.name} changes the model that it was given")
    x, _ = _batch()
    must(small(x).shape == model(x).shape, f"{card.name} gives outputs of another shape")
    must([m.training for m in (small, small.norm)] == [True, True], f"{card.name} changes the mode")
    learns = all(p.requires_grad for p in small.parameters())
    must(learns, f"{card.name} freezes what could be trained on")


def sparsity_is_exact(card: Card) -> None:
    """round(sparsity * n) weights are 0: of each layer, or of all layers together."""
    for scope in _scopes(card):
        for share in SPARSITIES:
            model = _model()
            was = {layer: _weight(model, layer) for layer in LAYERS}
            pruned = tiny(card, sparsity=share, **scope)(model)
            groups = [LAYERS] if scope.get("scope") == "global" else [(layer,) for layer in LAYERS]
            for group in groups:
                total = sum(was[layer].numel() for layer in group)
                already = sum(int((was[layer] == 0).sum()) for layer in group)
                zeros = sum(int((_weight(pruned, layer) == 0).sum()) for layer in group)
                want = max(round(share * total), already)
                must(zeros == want, f"{card.name} ({scope}) leaves {zeros} zeros of {total}, not {want}")


def other_values_stay(card: Card) -> None:
    """Weights that stay keep their value; biases, norms and embeddings are whole."""
    for scope in _scopes(card):
        model = _model()
        pruned = tiny(card, sparsity=0.5, **scope)(model)
        for layer in LAYERS:
            new, old = _weight(pruned, layer), _weight(model, layer)
            must(bool(((new == 0) | (new == old)).all()), f"{card.name} changes weights that it keeps")
        for name in ("conv.bias", "body.bias", "head.bias", "norm.weight", "norm.bias", "words.weight"):
            same = torch.equal(pruned.get_parameter(name), model.get_parameter(name))
            must(same, f"{card.name} changes {name}")


def zeros_stay_zero(card: Card) -> None:
    """No optimizer brings a weight back; those that stayed learn on."""
    x, y = _batch()
    for maker in (torch.optim.AdamW, lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9, weight_decay=0.1)):
        pruned = tiny(card, sparsity=0.77)(_model())
        before = {layer: _weight(pruned, layer).clone() for layer in LAYERS}
        optimizer = maker(pruned.parameters(), lr=0.05)
        for _ in range(5):
            optimizer.zero_grad()
            cross_entropy(pruned(x), y).backward()
            optimizer.step()
        for layer, old in before.items():
            now = _weight(pruned, layer)
            must(bool((now[old == 0] == 0).all()), f"{card.name}: weights of {layer} come back in training")
            moved = now[old != 0] != old[old != 0]
            must(bool(moved.any()), f"{card.name}: {layer} learns no more")


def nothing_taken_changes_nothing(card: Card) -> None:
    """With sparsity 0 the model answers as before."""
    model, (x, _) = _model().eval(), _batch()
    close(tiny(card, sparsity=0.0)(model)(x), model(x), 0.0, f"{card.name} with sparsity 0")


LAWS: tuple[Check, ...] = (
    the_model_given_stays_whole,
    sparsity_is_exact,
    other_values_stay,
    zeros_stay_zero,
    nothing_taken_changes_nothing,
)
