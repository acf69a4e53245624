"""Positions: how attention learns where its tokens stand.

Three contracts: added to embeddings, forward(x) -> x; turning queries and keys, forward(q, k) -> (q, k);
bearing on scores, forward(q, k) -> a bias, with attend(q, k, v).
"""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .added import AbstractAddedPosition as AbstractAddedPosition
    from .biases import URPE as URPE, ALiBi as ALiBi, T5Bias as T5Bias
    from .complex_order import ComplexOrderEmbedding as ComplexOrderEmbedding
    from .flowing import Floater as Floater
    from .learned import HierarchicalPosition as HierarchicalPosition, LearnedPosition as LearnedPosition
    from .relative import (
        DisentangledRelative as DisentangledRelative,
        ShawRelative as ShawRelative,
        TransformerXLRelative as TransformerXLRelative,
    )
    from .rotary import RotaryPosition as RotaryPosition
    from .scored import AbstractScoredPosition as AbstractScoredPosition
    from .sinusoidal import (
        SinusoidalPosition as SinusoidalPosition,
        SinusoidalPosition2d as SinusoidalPosition2d,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
