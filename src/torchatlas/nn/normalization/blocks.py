"""Where the norm of a residual branch stands: before it, after the sum, or here so and there so."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .residual import Branch, made

Norm = Callable[[int], nn.Module]


@method("pre_ln", kind="layer", year=2020, paper="arXiv:2002.04745", tiny={"branch": "tanh", "features": 4})
class PreLN(nn.Module):
    r"""Pre-LN: the norm stands before the branch, $x + F(\mathrm{LN}(x))$; the sum is left alone.

    Gradients reach all layers alike, so that training needs no warm-up.
    branch: a module that keeps the shape, a maker of one, or a name; features: the last dimension.
    Shapes: (..., features) -> the same.
    """

    def __init__(self, branch: Branch, features: int, norm: Norm = nn.LayerNorm):
        super().__init__()
        self.branch, self.norm = made(branch), norm(features)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.branch(self.norm(x))
        return y


@method("post_ln", kind="layer", year=2017, paper="arXiv:1706.03762", tiny={"branch": "tanh", "features": 4})
class PostLN(PreLN):
    r"""Post-LN: the norm stands after the sum, $\mathrm{LN}(x + F(x))$, as in the first transformer.

    Gradients are largest in the last layers, so that training wants a warm-up.
    Words and shapes: as `PreLN`.
    """

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x + self.branch(x))
        return y


@method(
    "mix_ln",
    kind="layer",
    year=2024,
    paper="arXiv:2412.13795",
    tiny={"branches": ("tanh", "tanh", "tanh", "tanh"), "features": 4},
)
class MixLN(nn.Sequential):
    """Mix-LN: a stack of L layers, the first ⌊αL⌋ of them Post-LN and the others Pre-LN.

    Gradients are then more alike over depth than with either alone.
    branches: one for each layer, or a tuple of them (a layer of a transformer has two, attention and
    feed-forward); alpha: the share of Post-LN, 0 to 1. Shapes: (..., features) -> the same.
    Raises UsageError for a share outside 0 to 1.
    """

    def __init__(
        self,
        branches: Sequence[Branch | Sequence[Branch]],
        features: int,
        alpha: float = 0.25,
        norm: Norm = nn.LayerNorm,
    ):
        if not 0 <= alpha <= 1:
            raise UsageError(f"alpha={alpha} must lie between 0 and 1: the share of Post-LN layers")
        late = int(alpha * len(branches) + 1e-9)  # 0.29 * 100 is a little less than 29
        super().__init__()
        for place, parts in enumerate(branches):
            kind = PostLN if place < late else PreLN
            for part in parts if isinstance(parts, list | tuple) else (parts,):
                self.append(kind(part, features, norm))
