"""Boxes ranked by their scores: what every way of suppression starts from and walks over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...engine.errors import UsageError
from .iou import centre_distance, intersection_over_union, wide

BLOCK = 128  # boxes whose fate is settled at once
PAIRS = 1 << 16  # pairs compared at once on a CPU, so that what is worked out on the way stays in its cache
MANY = 1 << 24  # and elsewhere

Index = Tensor | slice
Drops = Callable[[Tensor, Tensor], Tensor]  # ranks (r,) and (c,) -> whether the first drop the others (r, c)
ALL = slice(None)


class Kept(NamedTuple):
    """Boxes that stay, best first: their places in what was given, and boxes and scores as they are now."""

    places: Tensor
    boxes: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Ranked:
    """Boxes in the order of their scores, best first; of equal scores the earlier comes first."""

    order: Tensor  # (n,) places in what was given
    corners: Tensor  # (4, n) x1, y1, x2, y2 in the widest type
    scores: Tensor  # (n,)
    labels: Tensor | None  # (n,)

    @classmethod
    def of(cls, name: str, boxes: Tensor, scores: Tensor, classes: Tensor | None = None) -> "Ranked":
        """The boxes ranked. Raises UsageError for shapes that do not fit."""
        fits = boxes.ndim == 2 and boxes.shape[1] == 4 and scores.shape == boxes.shape[:1]
        if not fits or (classes is not None and classes.shape != scores.shape):
            told = [tuple(t.shape) for t in (boxes, scores, classes) if t is not None]
            raise UsageError(f"{name} wants (n, 4) boxes, with n scores and n classes; got {told}")
        order = scores.argsort(descending=True, stable=True)
        labels = None if classes is None else classes[order]
        return cls(order, wide(boxes)[order].T.contiguous(), wide(scores)[order], labels)

    def __len__(self) -> int:
        return len(self.order)

    def at(self, ranks: Index) -> Tensor:  # -> (..., 4)
        """The boxes of these ranks; each coordinate lies together."""
        return self.corners[:, ranks].movedim(0, -1)

    def only(self, ranks: Index) -> "Ranked":
        """These boxes alone."""
        labels = None if self.labels is None else self.labels[ranks]
        return Ranked(self.order[ranks], self.corners[:, ranks], self.scores[ranks], labels)

    def overlaps(self, rows: Index, columns: Index = ALL, nearness: float | None = None) -> Tensor:
        """The IoU of every box of the rows with every one of the columns; zero for boxes of other classes.

        `nearness` takes off the distance of centres, over the diagonal around both, to that power (DIoU).
        """
        a, b = self.at(rows)[:, None], self.at(columns)
        iou = intersection_over_union(a, b)
        if nearness is not None:
            iou = iou - centre_distance(a, b) ** nearness
        if self.labels is not None:
            iou = iou.where(self.labels[rows][:, None] == self.labels[columns], 0)
        return iou

    def with_owner(self, owners: Tensor) -> Tensor:  # (n,) -> (n,)
        """The IoU of each box with the box that it falls to; one with itself."""
        own = owners == torch.arange(len(self), device=owners.device)
        return intersection_over_union(self.at(ALL), self.at(owners)).where(~own, 1)

    def better(self, nearness: float | None = None) -> Iterator[tuple[slice, slice, Tensor]]:
        """Block by block: some boxes, all up to the last of them, and their overlaps; zero unless better."""
        start, pairs = 0, self.pairs
        while start < len(self):
            count = max(1, int(((start * start + 4 * pairs) ** 0.5 - start) / 2))
            some, before = slice(start, start + count), slice(0, start + count)
            yield some, before, self.overlaps(some, before, nearness).tril(start - 1)
            start += count

    @property
    def pairs(self) -> int:
        """How many pairs are compared at once."""
        return PAIRS if self.corners.is_cpu else MANY

    def kept(self, ranks: Tensor, boxes: Tensor, scores: Tensor, like: tuple[Tensor, Tensor]) -> Kept:
        """What stays, in the order of its scores and in the types of what was given."""
        best = scores.argsort(descending=True, stable=True)
        kinds = [t.dtype if t.is_floating_point() else wide(t).dtype for t in like]
        return Kept(self.order[ranks[best]], boxes[best].to(kinds[0]), scores[best].to(kinds[1]))


def greedy(ranked: Ranked, drops: Drops) -> Tensor:  # -> (k,)
    """The ranks of the boxes kept: from the best down, each that none kept before it drops.

    Block by block: a block is settled within itself, then drops what it can of all that come later.
    """
    left, kept = torch.arange(len(ranked), device=ranked.order.device), []
    while len(left):
        head, left = left[:BLOCK], left[BLOCK:]
        best = head[settled(len(head), drops(head, head).triu(1).nonzero())]
        kept.append(best)
        parts = left.split(max(1, ranked.pairs // len(best)))
        left = torch.cat([part[~drops(best, part).any(0)] for part in parts]) if parts else left
    return torch.cat(kept) if kept else left


def settled(count: int, drops: Tensor, rounds: int | None = None) -> Tensor:  # (e, 2) -> (n,)
    """Which of so many boxes stay, from all pairs (the better box, the one that it drops).

    A box stays that none which stays drops. Begun with all, each round settles one box more at least, from
    the best down; most often a few rounds are enough. `rounds` stops earlier.
    """
    better, worse = drops.unbind(1)
    keep = torch.ones(count, dtype=torch.bool, device=drops.device)
    for _ in range(count if rounds is None else rounds):
        now = torch.ones_like(keep)
        now[worse[keep[better]]] = False
        if torch.equal(now, keep):
            break
        keep = now
    return keep


def owners(ranked: Ranked, kept: Tensor, drops: Drops) -> Tensor:  # -> (n,)
    """For each box the rank of the kept one that it falls to: the best that drops it, itself where kept."""
    everyone = torch.arange(len(ranked), device=ranked.order.device)
    if not len(kept):
        return everyone
    parts = everyone.split(max(1, ranked.pairs // len(kept)))
    owner = torch.cat([kept[drops(kept, part).to(torch.uint8).argmax(0)] for part in parts])
    return owner.scatter(0, kept, kept)


def above(ranked: Ranked, threshold: float) -> Drops:
    """A box drops those that it overlaps by more than the threshold."""
    return lambda rows, columns: ranked.overlaps(rows, columns) > threshold
