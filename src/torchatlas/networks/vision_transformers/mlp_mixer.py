"""MLP-Mixer: patches as tokens, mixed by a multilayer perceptron along them in place of attention."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from ...cards.card import method
from ...nn.choosing import Choice
from ...nn.regularization.stochastic_depth import drop_rates
from ..image import KeyMap, Size
from ..transformers.block import FeedForward
from .tokens import EPS, AbstractTokenNetwork, MeanToken, Patches, PreNormBlock

KEYS_TIMM: KeyMap = (
    (r"^stem\.proj\.", "stem.conv."),
    (r"^blocks\.", "stages."),
    (r"\.mlp_tokens\.fc1\.", ".mixing.0."),
    (r"\.mlp_tokens\.fc2\.", ".mixing.2."),
    (r"\.mlp_channels\.fc1\.", ".feed.0."),
    (r"\.mlp_channels\.fc2\.", ".feed.2."),
    (r"^norm\.", "neck.0."),
)


class TokenMixing(FeedForward):
    """A perceptron along the tokens, the same for each channel: (b, n, d) -> (b, n, d)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mT).mT


@method(
    "mixer_s16",
    year=2021,
    paper="arXiv:2105.01601",
    aliases=("mlp_mixer",),
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
    },
    figures={"parameters": 18_528_264, "multiply_adds": 3_776_958_464},
    variants={
        "mixer_s32": {
            "patch_size": 32,
            "figures": {"parameters": 19_104_624, "multiply_adds": 1_002_426_368},
        },
        "mixer_b16": {
            "width": 768,
            "depth": 12,
            "figures": {"parameters": 59_880_472, "multiply_adds": 12_601_767_936},
        },
        "mixer_b32": {
            "width": 768,
            "depth": 12,
            "patch_size": 32,
            "figures": {"parameters": 60_293_428, "multiply_adds": 3_237_722_112},
        },
        "mixer_l16": {
            "width": 1024,
            "depth": 24,
            "figures": {"parameters": 208_196_168, "multiply_adds": 44_547_678_208},
        },
    },
)
class MLPMixer(AbstractTokenNetwork):
    r"""MLP-Mixer: one perceptron mixes each channel over all patches, the next each patch over its channels.

    $x \leftarrow x + (W_2\,\phi(W_1\,\mathrm{norm}(x)^T))^T$, then $x \leftarrow x + W_4\,\phi(W_3\,
    \mathrm{norm}(x))$: along patches the middle is half the width, along channels four times the width, φ
    GELU. No positions are added, as the first perceptron knows the patches one by one; the features are the
    normalised patches' mean.
    `patch_size` is 16, or 4 for images of 64 pixels and less. `dropout` falls on what each part adds;
    `drop_path` is stochastic depth's last rate.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); only images of this size fit,
    224×224 where none is said.
    Errors: `UsageError` for patches that do not fill the image.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        patch_size: int | None = None,
        width: int = 512,
        depth: int = 8,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        patches = Patches(in_channels, width, input_size, patch_size)
        count = patches.grid[0] * patches.grid[1]
        blocks = (
            PreNormBlock(
                TokenMixing(count, width // 2, activation),
                FeedForward(width, 4 * width, activation),
                width,
                rate,
                dropout,
            )
            for rate in drop_rates(depth, drop_path)
        )
        neck = nn.Sequential(nn.LayerNorm(width, EPS), MeanToken())
        super().__init__(patches, blocks, neck, width, num_classes)
