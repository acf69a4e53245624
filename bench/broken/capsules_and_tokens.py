"""Broken capsules, vision transformers and mixers."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "capsule_network",
        "axis: softmax over the capsules below",
        "logits.softmax(2)",
        "logits.softmax(1)",
    ),
    Mutation(
        "capsule_network",
        "missing term: agreements are not summed up",
        "logits = logits + torch.einsum",
        "logits = torch.einsum",
    ),
    Mutation(
        "margin_loss",
        "missing term: absent classes cost nothing",
        "self.down * (1 - there)",
        "0 * (1 - there)",
    ),
    Mutation(
        "capsnet",
        "wrong place: all capsules are drawn from",
        "capsules * presence(y, capsules)[..., None]",
        "capsules",
    ),
    Mutation(
        "vit_tiny_patch16_224",
        "wrong place: the last token answers",
        "return x[:, 0] if self.count == 1",
        "return x[:, -1] if self.count == 1",
        page="networks/vision_transformers/tokens.py",
    ),
    Mutation("deit_tiny_distilled", "missing term: one head alone", ").mean(0)", ")[0]"),
    Mutation(
        "mixer_s16", "axis: tokens are not mixed", "super().forward(x.mT).mT", "super().forward(x.mT).mT * 0"
    ),
    Mutation(
        "swin_tiny",
        "missing term: opposite edges see each other",
        "apart[:, None], -math.inf",
        "apart[:, None], 0.0",
    ),
    Mutation(
        "swin_tiny", "order: rows before columns", "for column, row in product", "for row, column in product"
    ),
)
