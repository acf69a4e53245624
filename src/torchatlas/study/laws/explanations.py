"""Laws of explanations: a map over the input that says nothing of what the model does not use."""

import inspect

import torch
from torch import Tensor, nn

from ...cards.card import Card
from ...cards.reader import get
from .attacks import CLASSES, ROWS, SHAPE, inputs, must_not_notice
from .law import Check, close, draw, must, tiny

CHANNELS = 12


class _Model(nn.Module):
    """Convolution, norm, ReLU, dropout, mean and one linear layer, their modes mixed; `seen` is what it sees.

    With `wide`, a model of tables.
    """

    def __init__(self, dtype: torch.dtype = torch.float32, seen: Tensor | float = 1.0, wide: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            first: tuple[nn.Module, ...] = (
                (nn.Linear(wide, CHANNELS), nn.BatchNorm1d(CHANNELS))
                if wide
                else (nn.Conv2d(SHAPE[0], CHANNELS, 3, padding=1), nn.BatchNorm2d(CHANNELS))
            )
            self.maps = nn.Sequential(*first, nn.ReLU(inplace=True), nn.Dropout(0.5))
            mean = () if wide else (nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.mean, self.head = nn.Sequential(*mean), nn.Linear(CHANNELS, CLASSES)
        self.seen, self.more = seen, 0.0
        self.to(dtype)
        self.maps[1].eval()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.mean(self.maps(x * self.seen))) + self.more
        return scores


def _looks_inside(card: Card) -> bool:
    """Whether it is made of a layer's maps, which tables do not have and which see around a pixel."""
    return "layer" in inspect.signature(get(card.name)).parameters


def _maps(card: Card, model: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
    found: Tensor = tiny(card)(model, x, y)
    return found


def map_has_the_inputs_form(card: Card) -> None:
    """One finite number per pixel, or per feature of a table; no graph hangs on it."""
    x, y = inputs()
    every: list[tuple[Tensor, Tensor, tuple[int, ...]]] = [
        (x, _maps(card, _Model(), x, y), (ROWS, *SHAPE[1:]))
    ]
    if not _looks_inside(card):
        table = draw(ROWS, 18)
        every.append((table, _maps(card, _Model(wide=18), table, y), (ROWS, 18)))
    for given, found, shape in every:
        must(found.shape == shape, f"{card.name} maps {tuple(given.shape)} to {tuple(found.shape)}")
        must(bool(found.isfinite().all()), f"{card.name} is not finite")
        must(not found.requires_grad, f"{card.name} has a graph")
        must(bool((found != 0).any()), f"{card.name} is nothing but zeros")


def unused_inputs_have_none(card: Card) -> None:
    """Pixels that the model does not see have exactly 0 (but of maps, whose places see around them)."""
    x, y = inputs(torch.float64)
    seen = torch.ones(SHAPE, dtype=torch.float64)
    seen[:, 0, :] = 0
    found = _maps(card, _Model(torch.float64, seen), x, y)
    must(bool((found[:, 1:] != 0).any()), f"{card.name} marks nothing that the model sees")
    if not _looks_inside(card):
        must(bool((found[:, 0] == 0).all()), f"{card.name} marks pixels that the model does not see")


def unused_maps_count_nothing(card: Card) -> None:
    """Maps that the scores do not use may be anything: the explanation stays."""
    x, y = inputs(torch.float64)
    found = []
    for factor in (1.0, 50.0):
        model = _Model(torch.float64)
        with torch.no_grad():
            model.head.weight[:, ::2] = 0
            next(model.maps.parameters())[::2] *= factor
        found.append(_maps(card, model, x, y))
    close(found[1], found[0], 1e-12, f"{card.name} with other maps that are not used")


def a_constant_changes_nothing(card: Card) -> None:
    """A constant added to every score gives the same map."""
    x, y = inputs(torch.float64)
    model = _Model(torch.float64)
    before = _maps(card, model, x, y)
    model.more = 7.0
    close(_maps(card, model, x, y), before, 1e-12, f"{card.name} + 7")


def the_class_decides(card: Card) -> None:
    """Another class has another map, but where both speak against all; by default it is the class seen."""
    x, y = inputs(torch.float64)
    model = _Model(torch.float64).eval()
    other = _maps(card, model, x, (y + 1) % CLASSES)
    differ = (_maps(card, model, x, y) - other).flatten(1).abs().amax(1) > 1e-6
    must(bool(differ.float().mean() >= 0.5), f"{card.name} does not heed the class")
    with torch.no_grad():
        best = model(x).argmax(1)
    close(_maps(card, model, x, None), _maps(card, model, x, best), 0.0, f"{card.name} without a class")


def rows_do_not_meet(card: Card) -> None:
    """A row's map is the same alone as among others: evaluation mode is used."""
    x, y = inputs(torch.float64)
    together = _maps(card, _Model(torch.float64), x, y)
    alone = _maps(card, _Model(torch.float64), x[2:3], y[2:3])
    close(together[2:3], alone, 1e-9, f"{card.name}: a row alone")


def the_model_notices_nothing(card: Card) -> None:
    """Weights, batch statistics, gradients and modes are afterwards what they were, and x is too."""
    x, y = inputs()
    kept, model = x.clone(), _Model()
    must_not_notice(model, lambda: _maps(card, model, x, y), card.name)
    must(torch.equal(x, kept) and not x.requires_grad, f"{card.name} changes its input")


LAWS: tuple[Check, ...] = (
    map_has_the_inputs_form,
    unused_inputs_have_none,
    unused_maps_count_nothing,
    a_constant_changes_nothing,
    the_class_decides,
    rows_do_not_meet,
    the_model_notices_nothing,
)
