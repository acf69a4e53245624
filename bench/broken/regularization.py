"""Broken formulas of what regularises: noise, penalties, augmentation; and of what counts costs."""

from bench.broken.mutation import Mutation, borrowed, rebound

NOISE = (
    borrowed("fully_connected", "missing term: no bias", "torch.nn:Linear", "return x @ self.weight.mT"),
    Mutation(
        "gaussian_dropout",
        "factor: p (1 - p) for p / (1 - p)",
        "self.p / (1 - self.p)",
        "self.p * (1 - self.p)",
    ),
    Mutation("stochastic_depth", "missing term: not scaled up", "kept / (1 - self.p)", "kept"),
    Mutation("stochastic_depth", "factor: rates from 0", "(k + 1) / blocks", "k / blocks"),
    Mutation("dropblock", "factor: of all places", "/ (places[0] * places[1])", "/ (height * width)"),
    Mutation(
        "dropblock",
        "axis: squares up and left",
        "F.pad(corners, (side - 1,) * 4)",
        "F.pad(corners, (0, 2 * side - 2) * 2)",
    ),
    Mutation("max_drop", "sign: the smallest", "flat.argmax(", "flat.argmin("),
    Mutation("max_dropout", "missing term: not from the least", "seen - low >", "seen >"),
    Mutation(
        "max_pooling_dropout",
        "factor: weights in the wrong order",
        "arange(k * k - 1, -1, -1, dtype",
        "arange(0, k * k, 1, dtype",
    ),
    Mutation("standout", "missing term: β", "(self.alpha * z + self.beta)", "(self.alpha * z)"),
    Mutation("weighted_channel_dropout", "sign: the lightest first", "largest=False", "largest=True"),
    Mutation("weighted_channel_dropout", "missing term: not scaled by q", " * scale / self.keep", " * scale"),
    Mutation("hard_concrete", "missing term: temperature", "+ logit) / TEMPERATURE", "+ logit)"),
    Mutation("hard_concrete", "factor: not stretched", "* (HIGH - LOW) + LOW)", "* HIGH)"),
    rebound(
        "grad_clip_norm",
        "wrong clip: by value",
        "torch.nn.utils:clip_grad_norm_",
        "torch.nn.utils:clip_grad_value_",
    ),
    rebound(
        "grad_clip_value",
        "wrong clip: by norm",
        "torch.nn.utils:clip_grad_value_",
        "torch.nn.utils:clip_grad_norm_",
    ),
)

PENALTIES = (
    Mutation(
        "l2_regularization",
        "factor: half",
        "self.strength * squares(weights_of(",
        "self.strength / 2 * squares(weights_of(",
    ),
    Mutation(
        "l1_regularization",
        "wrong norm: squares",
        "self.strength * magnitudes(weights_of(",
        "self.strength * squares(weights_of(",
    ),
    Mutation(
        "elastic_net",
        "terms: one for the other",
        "self.l1 * magnitudes(weights) + self.l2",
        "self.l2 * magnitudes(weights) + self.l1",
    ),
    Mutation("weissi", "missing term: no logarithm", ".tiny).log().sum()", ".tiny).sum()"),
    Mutation("spectral_norm_regularization", "factor: no half", "self.strength / 2", "self.strength"),
    Mutation("spectral_norm_regularization", "missing term: not squared", ".square().sum()", ".sum()"),
    Mutation("self_orthogonality", "factor: θ/π for 2θ/π", "* (2 / math.pi)", "* (1 / math.pi)"),
    Mutation("self_orthogonality", "missing term: the squared sum", "self.mean * v.sum().square() + ", ""),
    Mutation(
        "l0_regularization",
        "sign",
        "return self.strength * torch.stack(counts)",
        "return -self.strength * torch.stack(counts)",
    ),
    Mutation(
        "l0_regularization",
        "sign: of the shift",
        "self.log_alpha - TEMPERATURE * math.log",
        "self.log_alpha + TEMPERATURE * math.log",
        page="nn/regularization/hard_concrete.py",
    ),
    Mutation(
        "gradient_penalty_params",
        "missing term: not squared",
        "[g.square().sum() for g",
        "[g.abs().sum() for g",
    ),
    Mutation(
        "gradient_penalty_inputs",
        "factor: of the mean loss",
        "loss(network(leaf)) * len(x)",
        "loss(network(leaf))",
    ),
    Mutation("flooding", "factor: 1 for 2", "2 * F.relu", "F.relu"),
    Mutation("flooding", "sign: a ceiling", "self.level - loss(prediction)", "loss(prediction) - self.level"),
    Mutation("r_drop", "missing term: the second loss", "return loss(again) + ", "return "),
    Mutation("r_drop", "factor: α for α/2", "self.alpha / 2", "self.alpha"),
    Mutation(
        "vat",
        "direction: of the divergence",
        'F.kl_div(near, log_p, reduction="none"',
        'F.kl_div(log_p, near, reduction="none"',
    ),
    Mutation(
        "vat",
        "missing term: a random direction",
        "direction = row_units(self._slope",
        "row_units(self._slope",
    ),
    Mutation("maxup", "wrong choice: the mean copy", ".amax(1)  # (b,)", ".mean(1)  # (b,)"),
    Mutation("vib", "missing term: the price", "+ self.beta * price", "+ 0 * price"),
    Mutation("vib", "missing term: ln σ²", " - spread.clamp_min(small).log().sum(1)", ""),
)

AUGMENTATION = (
    Mutation(
        "random_crop",
        "wrong border: mirrored",
        "F.pad(x, (self.padding,) * 4)",
        'F.pad(x, (self.padding,) * 4, mode="reflect")',
    ),
    Mutation(
        "random_resized_crop",
        "factor: sides for area",
        "area.sqrt() * stretch, area.sqrt() / stretch",
        "area * stretch, area / stretch",
    ),
    Mutation("random_resized_crop", "missing term: the place", "(1 - size) * (2", "0 * (1 - size) * (2"),
    Mutation(
        "color_jitter",
        "sign: of the hue",
        "same, next_, last, last, same, next_, next_, last, same",
        "same, last, next_, next_, same, last, last, next_, same",
    ),
    Mutation(
        "color_jitter",
        "wrong middle: black for the darkest",
        "_from(x.amin((1, 2, 3), keepdim=True), x",
        "_from(0 * x, x",
    ),
    Mutation(
        "data_augmentation",
        "missing part: no mirror image",
        "RandomFlip(flip), jitter",
        "RandomFlip(0.0), jitter",
    ),
    Mutation("mixup", "factor: of the other row", "torch.lerp(other, x, ", "torch.lerp(x, other, "),
    Mutation(
        "mixup",
        "sign: of the target",
        "share * y + (1 - share) * y[order]",
        "share * y[order] + (1 - share) * y",
    ),
    Mutation("cutmix", "share: as drawn, not as pasted", "1 - pasted.to(share.dtype).mean()", "share"),
    Mutation("cutmix", "factor: the area for its root", "(1 - share).sqrt()", "(1 - share)"),
)

COSTS = (
    Mutation(
        "count_activations",
        "factor: numbers for bytes",
        "tensor.numel() * tensor.element_size()",
        "tensor.numel()",
    ),
    Mutation("receptive_field", "missing term: the strides before", "r + (k - 1) * d * j", "r + (k - 1) * d"),
    Mutation("receptive_field", "missing term: dilation", "(k - 1) * d * j", "(k - 1) * j"),
    Mutation("separable_cost_ratio", "factor: k for k²", "1 / kernel_size**2", "1 / kernel_size"),
    Mutation(
        "fc_conv1x1_equivalence", "missing term: no bias", "conv.bias.copy_(layer.bias)", "conv.bias.zero_()"
    ),
    Mutation(
        "backprop", "factor: without the derivative", "delta * (1 - after.square())", "delta * (1 - after)"
    ),
    Mutation(
        "backprop", "missing term: the mean", "(log_p.exp() - true) / len(scores)", "log_p.exp() - true"
    ),
    Mutation(
        "error_gap",
        "sign",
        "self.held_out[name] - self.train[name]",
        "self.train[name] - self.held_out[name]",
    ),
    Mutation(
        "early_stopping",
        "sign: of a rise",
        "if error > valid[epoch - strip]",
        "if error < valid[epoch - strip]",
    ),
    Mutation("early_stopping", "count: one epoch later", "epoch - best >= limit", "epoch - best > limit"),
)

MUTATIONS: tuple[Mutation, ...] = (*NOISE, *PENALTIES, *AUGMENTATION, *COSTS)
