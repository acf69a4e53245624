"""Text as numbers: a vocabulary of characters, and windows of a fixed length for a language model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ...engine.errors import DataError
from .reading import codes_of, text_of

UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # stands for every character that training did not show


@dataclass(frozen=True)
class TextEncoder:
    """Characters as numbers 0 .. len(vocabulary) - 1; number 0 stands for unknown ones.

    `context` is the number of characters in one window, which is one sample.
    """

    vocabulary: str
    context: int

    @classmethod
    def fit(cls, codes: np.ndarray[Any, Any], context: int) -> Self:
        """The vocabulary of a training part, in the order of the characters' numbers."""
        return cls(UNKNOWN + text_of(np.unique(codes)).replace(UNKNOWN, ""), context)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one window."""
        return (self.context,)

    @cached_property
    def _known(self) -> np.ndarray[Any, Any]:
        return codes_of(self.vocabulary)

    def ids(self, text: str | np.ndarray[Any, Any]) -> Tensor:
        """The numbers of a text's characters, (n,) int64."""
        codes = codes_of(text) if isinstance(text, str) else text
        order = np.argsort(self._known)
        place = np.searchsorted(self._known, codes, sorter=order).clip(max=len(order) - 1)
        found = order[place]
        return torch.from_numpy(np.where(self._known[found] == codes, found, 0))

    def windows(self, codes: np.ndarray[Any, Any]) -> tuple[Tensor, Tensor, np.ndarray[Any, Any]]:
        """Windows without overlap: (m, context) inputs, their next characters, and where each begins."""
        count = (len(codes) - 1) // self.context
        if count < 1:
            raise DataError(
                f"a part of {len(codes)} characters holds no window of {self.context} and the one after it: "
                "give more text, or a smaller context"
            )
        ids = self.ids(codes)
        end = count * self.context
        x, y = (part.view(count, self.context).contiguous() for part in (ids[:end], ids[1 : end + 1]))
        return x, y, np.arange(count) * self.context

    def encode(self, inputs: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """A text, or its character numbers -> windows (m, context) int64, whatever `dtype` says."""
        return self.windows(codes_of(inputs) if isinstance(inputs, str) else np.asarray(inputs))[0]

    def restore(self, x: Tensor | Sequence[int]) -> list[str]:
        """Rows of numbers -> texts."""
        rows = torch.as_tensor(x).cpu().numpy()
        return [text_of(self._known[row]) for row in np.atleast_2d(rows)]

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Back from `to_json`."""
        return cls(**state)
