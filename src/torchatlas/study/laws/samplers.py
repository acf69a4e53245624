"""Laws of samplers: which rows an epoch has is counted, never carried."""

from typing import Any

import torch
from torch import Tensor

from ...cards.card import Card
from .law import Check, close, must, tiny

COUNTS = (60, 25, 0, 10, 5)  # rows per class; one class is only found in other parts of the data
EPOCHS = 200


def _labels() -> Tensor:
    ordered = torch.repeat_interleave(torch.arange(len(COUNTS)), torch.tensor(COUNTS))
    return ordered[torch.randperm(len(ordered), generator=torch.Generator().manual_seed(0))]


def _sampler(card: Card, seed: int = 0) -> Any:
    return tiny(card, labels=_labels(), seed=seed)


def rows_are_there(card: Card) -> None:
    """Epochs are lists of numbers of rows that the data has, as many as the sampler says."""
    sampler = _sampler(card)
    epochs = [sampler.order(epoch) for epoch in range(20)]
    rows = torch.cat(epochs)
    fits = rows.dtype == torch.long and rows.ndim == 1 and len(rows) > 0
    must(fits, f"{card.name} gives {rows.dtype} of shape {tuple(rows.shape)}, not row numbers")
    must(bool(((rows >= 0) & (rows < sum(COUNTS))).all()), f"{card.name} gives rows that are not there")
    long = {len(epoch) for epoch in epochs}
    must(long == {sampler.rows}, f"{card.name} has epochs of {long} rows and says {sampler.rows}")


def seed_and_epoch_decide(card: Card) -> None:
    """The same seed and epoch give the same rows, whatever was drawn before; other ones give others."""
    first, second = _sampler(card), _sampler(card)
    with torch.random.fork_rng(devices=[]):
        for epoch in range(3):
            first.order(epoch)
        state = torch.random.get_rng_state()
        third = first.order(3)
        must(
            torch.equal(state, torch.random.get_rng_state()), f"{card.name} draws from the default generator"
        )
        torch.manual_seed(5)
        must(
            torch.equal(third, second.order(3)),
            f"{card.name}: the rows of an epoch depend on what ran before",
        )
    must(not torch.equal(third, second.order(4)), f"{card.name} gives each epoch the same rows")
    must(not torch.equal(third, _sampler(card, 1).order(3)), f"{card.name} does not heed its seed")


def classes_come_as_claimed(card: Card) -> None:
    """Over many epochs each class is drawn as often as `shares_in` says, and its rows alike."""
    sampler, labels = _sampler(card), _labels()
    rows = torch.cat([sampler.order(epoch) for epoch in range(EPOCHS)])
    shares = torch.stack([sampler.shares_in(epoch) for epoch in range(EPOCHS)]).double()
    close(shares.sum(1), torch.ones(EPOCHS), 1e-9, f"{card.name}'s shares")
    want = shares.mean(0)[labels] / torch.tensor(COUNTS).double()[labels]  # per row
    got = torch.bincount(rows, minlength=len(labels)).double() / len(rows)
    for name, share in (("rows", (got, want)), ("classes", _by_class(labels, got, want))):
        error = (share[0] - share[1]).abs() / (share[1] / len(rows)).sqrt()
        must(
            float(error.max()) < 5, f"{card.name}: {name} are {float(error.max()):.1f} sigma off their share"
        )


def _by_class(labels: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    present = torch.tensor(COUNTS) > 0
    return tuple(torch.bincount(labels, value, len(COUNTS))[present] for value in values)


LAWS: tuple[Check, ...] = (rows_are_there, seed_and_epoch_decide, classes_come_as_claimed)
