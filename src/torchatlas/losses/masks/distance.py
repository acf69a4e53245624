"""The exact Euclidean distance transform, on any device and without a copy to the host."""

import torch
from torch import Tensor


def distance_to(there: Tensor) -> Tensor:  # (b, c, …) of bool -> (b, c, …)
    """How far each pixel is from the nearest one of its map's set; inf where the set is empty.

    Squared distances are minima over one axis at a time: of all pixels of a line, the distance along it and
    what is known of them so far. Each axis takes as many passes as it is long.
    """
    square = torch.zeros(there.shape, device=there.device).where(there, torch.inf)
    for axis in range(2, there.ndim):
        line = square.movedim(axis, 0)
        places = torch.arange(len(line), device=there.device, dtype=square.dtype)
        places = places.view(-1, *[1] * (there.ndim - 1))
        nearest = torch.full_like(line, torch.inf)
        for place in range(len(line)):
            nearest = torch.minimum(nearest, line[place] + (places - place).square())
        square = nearest.movedim(0, axis)
    return square.sqrt()


def to_other_side(mask: Tensor) -> Tensor:  # (b, c, …) of bool -> (b, c, …)
    """How far each pixel is from the nearest one of the other side of a mask; 0 where it has one side."""
    away = torch.where(mask, distance_to(~mask), distance_to(mask))
    return away.where(away.isfinite(), 0)
