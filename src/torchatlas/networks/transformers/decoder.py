"""Transformers that read from left to right, for language models."""

import math
from collections.abc import Iterable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...nn.positions import LearnedPosition, SinusoidalPosition
from .block import Maker, post_norm_blocks

TANH_GELU = partial(nn.GELU, approximate="tanh")


class AbstractDecoder(nn.Module):
    """Embeddings with positions, blocks one after another, and a head: the embedding's own matrix, tied.

    Shapes: ids (batch, length <= context) -> logits (batch, length, num_classes).
    """

    tasks = ("language",)
    scale = 1.0  # of the embeddings, before positions are added

    def __init__(
        self, embedding: nn.Embedding, positions: nn.Module, blocks: Iterable[nn.Module], dropout: float
    ):
        super().__init__()
        self.embedding, self.positions = embedding, positions
        self.dropout, self.blocks = nn.Dropout(dropout), nn.Sequential(*blocks)

    def forward_features(self, ids: Tensor) -> Tensor:  # (b, t) -> (b, t, d)
        return self.blocks(self.dropout(self.positions(self.scale * self.embedding(ids))))

    def forward(self, ids: Tensor) -> Tensor:  # (b, t) -> (b, t, k)
        return F.linear(self.forward_features(ids), self.embedding.weight)


@method(
    "transformer_lm",
    year=2018,
    paper="arXiv:1801.10198; the block: arXiv:1706.03762",
    aliases=("transformer_decoder",),
    topics=("language",),
    recipe={
        "optimizer": "adamw",
        "lr": 0.002,
        "schedule": "lr_cosine",
        "clip": 1.0,
        "batch_size": 16,
        "epochs": 4,
        "dropout": 0.0,
        "valid": 0.05,
    },
    tiny={"num_classes": 11, "context": 12, "width": 16, "layers": 2, "heads": 2, "dropout": 0.0},
    figures={
        "parameters": 37_858_304,
        "at": {"num_classes": 37_000, "context": 512, "width": 512, "layers": 6, "heads": 8},
    },
)
class TransformerLM(AbstractDecoder):
    r"""The Transformer's decoder alone: sinusoidal positions, ReLU, norms after each sum, tied head.

    Of "Attention is all you need" it keeps the decoder without attention to an encoder: embeddings times
    $\sqrt d$, heads of width / `heads`, a feed-forward part of 4 width. Dropout falls on sums and embeddings.
    Linear maps start by Xavier's rule, embeddings by $N(0, 1/d)$. The paper's base model has width 512,
    6 layers and 8 heads; the default is for characters, and the recipe is too short for dropout.
    Errors: `UsageError` for more than `context` ids, and where heads do not divide the width.
    """

    def __init__(
        self,
        num_classes: int,
        context: int = 128,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
        activation: str | Maker = "relu",
    ):
        blocks = post_norm_blocks(layers, width, heads, activation, dropout)
        super().__init__(
            nn.Embedding(num_classes, width), SinusoidalPosition(context, width), blocks, dropout
        )
        self.context, self.scale = context, math.sqrt(width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)


@method(
    "gpt",
    year=2018,
    paper="Radford et al., Improving language understanding by generative pre-training, OpenAI",
    aliases=("gpt1",),
    topics=("language",),
    recipe={
        "optimizer": "adamw",
        "lr": 0.002,
        "schedule": "lr_cosine",
        "clip": 1.0,
        "batch_size": 16,
        "epochs": 4,
        "dropout": 0.0,
        "valid": 0.05,
    },
    tiny={"num_classes": 11, "context": 12, "width": 16, "layers": 2, "heads": 2, "dropout": 0.0},
    figures={
        "parameters": 116_534_784,
        "at": {"num_classes": 40_478, "context": 512, "width": 768, "layers": 12, "heads": 12},
    },
)
class GPT(AbstractDecoder):
    r"""GPT, the first: a decoder with learned positions, GELU, norms after each sum, and a tied head.

    Against `transformer_lm`: positions are learned, embeddings are not scaled, the activation is GELU (in the
    released code's tanh form), dropout falls on the attention's weights too, and all matrices start as
    $N(0, 0.02^2)$. There is no norm after the last block. The paper's model has 40,478 tokens, context 512,
    width 768, 12 layers and 12 heads; the default is for characters, and the recipe too short for dropout.
    Errors: `UsageError` for more than `context` ids, and where heads do not divide the width.
    """

    def __init__(
        self,
        num_classes: int,
        context: int = 128,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
        activation: str | Maker = TANH_GELU,
    ):
        blocks = post_norm_blocks(layers, width, heads, activation, dropout, attention_dropout=dropout)
        super().__init__(nn.Embedding(num_classes, width), LearnedPosition(context, width), blocks, dropout)
        self.context = context
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
