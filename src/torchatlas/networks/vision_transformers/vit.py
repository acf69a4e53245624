"""Vision transformers: an image is a sentence whose words are its patches."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice
from ...nn.positions import SinusoidalPosition2d
from ...nn.regularization.stochastic_depth import drop_rates
from ..image import KeyMap, Size
from ..transformers.block import FeedForward
from .tokens import EPS, AbstractTokenNetwork, FirstToken, MeanToken, Patches, PreNormBlock, SelfAttention

POSITIONS = ("learned", "sinusoidal")
POOLS = ("token", "mean")

KEYS_TIMM: KeyMap = (
    (r"^patch_embed\.proj\.", "stem.patches.conv."),
    (r"^cls_token$", "stem.tokens.0"),
    (r"^dist_token$", "stem.tokens.1"),
    (r"^pos_embed$", "stem.positions"),
    (r"^blocks\.", "stages."),
    (r"\.attn\.qkv\.", ".mixing.inward."),
    (r"\.attn\.proj\.", ".mixing.outward."),
    (r"\.mlp\.fc1\.", ".feed.0."),
    (r"\.mlp\.fc2\.", ".feed.2."),
    (r"^norm\.", "neck.0."),
)
KEYS_DISTILLED: KeyMap = (*KEYS_TIMM, (r"^head\.", "head.0."), (r"^head_dist\.", "head.1."))
KEYS_TORCHVISION: KeyMap = (
    (r"^conv_proj\.", "stem.patches.conv."),
    (r"^class_token$", "stem.tokens.0"),
    (r"^encoder\.pos_embedding$", "stem.positions"),
    (r"^encoder\.layers\.encoder_layer_", "stages."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".mixing.inward."),
    (r"\.self_attention\.out_proj\.", ".mixing.outward."),
    (r"\.mlp\.(linear_1|0)\.", ".feed.0."),
    (r"\.mlp\.(linear_2|3)\.", ".feed.2."),
    (r"^encoder\.ln\.", "neck.0."),
    (r"^heads\.head\.", "head."),
)


class Tokens(nn.Module):
    """Patches after so many learned tokens, with positions added to all of them.

    Positions are learned, or fixed waves in two dimensions, which are for patches alone.
    Shapes: (batch, channels, height, width) -> (batch, count + patches, width).
    """

    positions: Tensor

    def __init__(self, patches: Patches, width: int, count: int, positions: str, dropout: float):
        super().__init__()
        self.patches, self.dropout = patches, nn.Dropout(dropout)
        self.tokens = nn.ParameterList(drawn(1, width) for _ in range(count))
        rows, columns = patches.grid
        if positions == "learned":
            self.positions = drawn(count + rows * columns, width)
        else:
            waves = SinusoidalPosition2d(rows, columns, width)(torch.zeros(1, rows, columns, width))
            self.register_buffer("positions", waves.flatten(1, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x)
        first = [token.expand(x.shape[0], -1, -1) for token in self.tokens]
        return self.dropout(torch.cat((*first, x), 1) + self.positions)


def drawn(count: int, width: int) -> nn.Parameter:
    """Tokens or positions to learn, (1, count, width)."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(1, count, width), std=0.02, a=-0.04, b=0.04))


class Heads(nn.ModuleList):
    """A head for each of some tokens, class and distillation: (b, count, d) -> the mean of their logits."""

    def __init__(self, features: int, num_classes: int, count: int):
        super().__init__(nn.Linear(features, num_classes) for _ in range(count))

    def forward_all(self, x: Tensor) -> list[Tensor]:
        """What each head says."""
        return [head(token) for head, token in zip(self, x.unbind(1), strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(self.forward_all(x)).mean(0)


@method(
    "vit_tiny_patch16_224",
    year=2020,
    paper="arXiv:2010.11929",
    aliases=("vit",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "adamw",
        "optimizer.weight_decay": 0.05,
        "lr": 0.001,
        "schedule": "lr_cosine",
        "clip": 1.0,
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "patch_size": 2,
        "width": 16,
        "depth": 1,
        "heads": 2,
    },
    figures={"parameters": 5_717_416, "multiply_adds": 1_253_683_200},
    variants={
        "vit_small_patch16_224": {
            "width": 384,
            "heads": 6,
            "figures": {"parameters": 22_050_664, "multiply_adds": 4_598_882_304},
        },
        "vit_base_patch16_224": {
            "width": 768,
            "heads": 12,
            "figures": {"parameters": 86_567_656, "multiply_adds": 17_563_828_224},
        },
        "simple_vit": {
            "width": 384,
            "heads": 6,
            "pool": "mean",
            "positions": "sinusoidal",
            "year": 2022,
            "paper": "arXiv:2205.01580",
            "figures": {"parameters": 21_974_632, "multiply_adds": 4_574_026_752},
        },
        "deit_tiny_distilled": {
            "tokens": 2,
            "aliases": ("deit",),
            "paper": "arXiv:2012.12877",
            "topics": ("classification", "distillation", "vision"),
            "figures": {"parameters": 5_910_800, "multiply_adds": 1_261_003_776},
        },
        "deit_small_distilled": {
            "tokens": 2,
            "width": 384,
            "heads": 6,
            "paper": "arXiv:2012.12877",
            "topics": ("classification", "distillation", "vision"),
            "figures": {"parameters": 22_436_432, "multiply_adds": 4_624_140_288},
        },
        "deit_base_distilled": {
            "tokens": 2,
            "width": 768,
            "heads": 12,
            "paper": "arXiv:2012.12877",
            "topics": ("classification", "distillation", "vision"),
            "figures": {"parameters": 87_338_192, "multiply_adds": 17_656_811_520},
        },
    },
)
class VisionTransformer(AbstractTokenNetwork):
    r"""ViT: patches as tokens, positions added, a stack of transformer blocks, and the class token's answer.

    Blocks normalise first: $x \leftarrow x + A(\mathrm{norm}(x))$, $x \leftarrow x + F(\mathrm{norm}(x))$,
    with attention A of `heads` and F four times as wide, with GELU. A learned token stands before the
    patches, and its last state, normalised, is the features; `pool="mean"` takes the mean of all patches
    instead, and needs no token. Positions are "learned", or "sinusoidal" (fixed, in two dimensions), which
    together with the mean is SimpleViT. The paper's sizes are B, L and H; tiny and small are DeiT's.
    With two `tokens` each has a head, and the mean of their logits counts: that is DeiT, distilled, which
    trains one head by the classes and one by a teacher's choices, $\frac{1}{2} \mathrm{CE}(z_c, y) +
    \frac{1}{2} \mathrm{CE}(z_d, \arg\max z_t)$; `forward_all` gives the logits of each for that. Trained by
    itself, the mean of the two learns the classes. Features are then both states, (batch, 2, width).
    `patch_size` is 16, or 4 for images of 64 pixels and less. `dropout` falls on the tokens and on what each
    part adds; `drop_path` is stochastic depth's last rate.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); only images of this size fit,
    224×224 where none is said.
    Errors: `UsageError` for patches that do not fill the image, heads that do not divide the width, another
    pool or other positions, waves for a class token, and less than one token.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM, "torchvision": KEYS_TORCHVISION}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        patch_size: int | None = None,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        pool: str = "token",
        tokens: int = 1,
        positions: str = "learned",
        activation: Choice = "gelu",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        for word, known in ((pool, POOLS), (positions, POSITIONS)):
            if word not in known:
                raise UsageError(f"{word!r} is not known here: take {' or '.join(known)}")
        if pool == "token" and positions == "sinusoidal":
            raise UsageError("sinusoidal positions have no place for a class token: say pool=mean")
        if tokens < 1:
            raise UsageError(f"tokens={tokens}: at least one stands before the patches, or say pool=mean")
        self.count = count = tokens if pool == "token" else 0
        patches = Patches(in_channels, width, input_size, patch_size)
        block = partial(PreNormBlock, width=width, dropout=dropout)
        blocks = (
            block(SelfAttention(width, heads), FeedForward(width, 4 * width, activation), drop_path=rate)
            for rate in drop_rates(depth, drop_path)
        )
        neck = nn.Sequential(nn.LayerNorm(width, EPS), FirstToken(count) if count else MeanToken())
        super().__init__(Tokens(patches, width, count, positions, dropout), blocks, neck, width, num_classes)
        if count > 1:
            self.key_maps = {"timm": KEYS_DISTILLED}  # type: ignore[misc]

    def make_head(self, num_classes: int) -> nn.Module:
        """One head, or one for each of several tokens."""
        if self.count > 1:
            return Heads(self.features, num_classes, self.count)
        return super().make_head(num_classes)

    def forward_all(self, x: Tensor) -> list[Tensor]:  # (b, c, h, w) -> (b, k) of each head
        """The logits of each token's head, the class token's first."""
        features = self.forward_features(x)
        return self.head.forward_all(features) if isinstance(self.head, Heads) else [self.head(features)]
