"""Laws of explanations: a map over the input that says nothing of what the model does not use."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...cards.card import Card
from .attacks import CLASSES, ROWS, SHAPE, inputs, must_not_notice, small_model
from .law import Check, close, draw, must, tiny


class _Blind(nn.Module):
    """A model that does not see some places of its input."""

    def __init__(self, seen: Tensor):
        super().__init__()
        self.inner, self.seen = small_model(torch.float64), seen

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * self.seen)


def _maps(card: Card, model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor | None) -> Tensor:
    found: Tensor = tiny(card)(model, x, y)
    return found


def map_has_the_inputs_form(card: Card) -> None:
    """One finite number per pixel, or per feature of a table; no graph hangs on it."""
    x, y = inputs()
    table, found = draw(ROWS, 18), _maps(card, small_model(), x, y)
    must(found.shape == (ROWS, *SHAPE[1:]), f"{card.name} maps {tuple(x.shape)} to {tuple(found.shape)}")
    flat = _maps(card, small_model(), table, y)
    must(flat.shape == table.shape, f"{card.name} maps a table {tuple(table.shape)} to {tuple(flat.shape)}")
    for one in (found, flat):
        must(
            bool(one.isfinite().all()) and not one.requires_grad, f"{card.name} is not finite, or has a graph"
        )
        must(bool((one != 0).any()), f"{card.name} is nothing but zeros")


def unused_inputs_have_none(card: Card) -> None:
    """Pixels that the model does not see have exactly 0; those that it sees have not."""
    x, y = inputs(torch.float64)
    seen = torch.ones(SHAPE, dtype=torch.float64)
    seen[:, 0, :] = 0
    found = _maps(card, _Blind(seen), x, y)
    must(bool((found[:, 0] == 0).all()), f"{card.name} marks pixels that the model does not see")
    must(bool((found[:, 1:] != 0).any()), f"{card.name} marks nothing that the model sees")


def a_constant_changes_nothing(card: Card) -> None:
    """A constant added to every score gives the same map."""
    x, y = inputs(torch.float64)
    model = small_model(torch.float64).eval()
    close(_maps(card, lambda z: model(z) + 7.0, x, y), _maps(card, model, x, y), 1e-12, f"{card.name} + 7")


def the_class_decides(card: Card) -> None:
    """Another class has another map; without one, the class that the model sees is explained."""
    x, y = inputs(torch.float64)
    model = small_model(torch.float64).eval()
    other = _maps(card, model, x, (y + 1) % CLASSES)
    differ = (_maps(card, model, x, y) - other).flatten(1).abs().amax(1) > 1e-6
    must(bool(differ.all()), f"{card.name} does not heed the class")
    with torch.no_grad():
        best = model(x).argmax(1)
    close(_maps(card, model, x, None), _maps(card, model, x, best), 0.0, f"{card.name} without a class")


def rows_do_not_meet(card: Card) -> None:
    """A row's map is the same alone as among others: evaluation mode is used."""
    x, y = inputs(torch.float64)
    together = _maps(card, small_model(torch.float64), x, y)
    alone = _maps(card, small_model(torch.float64), x[2:3], y[2:3])
    close(together[2:3], alone, 1e-9, f"{card.name}: a row alone")


def the_model_notices_nothing(card: Card) -> None:
    """Weights, batch statistics, gradients and modes are afterwards what they were, and x is too."""
    x, y = inputs()
    kept, model = x.clone(), small_model()
    must_not_notice(model, lambda: _maps(card, model, x, y), card.name)
    must(torch.equal(x, kept) and not x.requires_grad, f"{card.name} changes its input")


LAWS: tuple[Check, ...] = (
    map_has_the_inputs_form,
    unused_inputs_have_none,
    a_constant_changes_nothing,
    the_class_decides,
    rows_do_not_meet,
    the_model_notices_nothing,
)
