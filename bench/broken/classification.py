"""One or two broken formulas for each loss, sampler and learner of classes of very different sizes."""

from bench.broken.mutation import Mutation

WEIGHTS = (
    Mutation(
        "inverse_class_frequency",
        "factor: by the largest class",
        "[sum(counts) / count for",
        "[max(counts) / count for",
    ),
    Mutation(
        "cost_sensitive_ce", "sign: of the exponent", "[min(counts) / count for", "[count / min(counts) for"
    ),
    Mutation("class_balanced_loss", "missing term: not scaled", "len(raw) * weight / sum(raw)", "weight"),
    Mutation("class_balanced_loss", "factor: β n for β^n", "1 - self.beta**count", "1 - self.beta / count"),
    Mutation(
        "class_balanced_loss", "axis: one term of all classes", "flatten(1).sum(1)", "flatten(1).mean(1)"
    ),
    Mutation("logit_adjustment", "sign: of the shift", "[tau * math.log(", "[-tau * math.log("),
    Mutation(
        "balanced_softmax",
        "factor: counts for their logarithms",
        "[math.log(count) for count",
        "[math.sqrt(count) for count",
    ),
)

GRADIENTS = (
    Mutation(
        "equalization_loss", "missing case: the row's own class", "(target[:, None] != numbers)", "True"
    ),
    Mutation(
        "equalization_loss",
        "sign: frequent ones are spared",
        "sum(counts) < threshold",
        "sum(counts) > threshold",
    ),
    Mutation(
        "equalization_loss",
        "axis: one draw for a row",
        "torch.rand(prediction.shape,",
        "torch.rand(prediction[:, :1].shape,",
    ),
    Mutation("sigmoid_equalization_loss", "missing case: background", "foreground & self.rare", "self.rare"),
    Mutation(
        "equalization_loss_v2",
        "missing brackets: 1 + α - f",
        "1 + self.alpha * (1 - down)",
        "1 + self.alpha * 1 - down",
    ),
    Mutation("equalization_loss_v2", "factor: gradients before their weight", ".abs() * weights)", ".abs())"),
    Mutation(
        "seesaw_loss",
        "index: counts swapped",
        "(sizes - sizes[target][:, None])",
        "(sizes[target][:, None] - sizes)",
    ),
    Mutation("seesaw_loss", "missing term: no compensation", "+ self.q * compensation", "+ 0 * compensation"),
    Mutation("seesaw_loss", "missing bound: of the divisor", ".clamp_min(math.log(self.eps))", ""),
    Mutation(
        "ghm_loss",
        "factor: density for its inverse",
        "length.numel() / (self.bins * found.",
        "self.bins / length.numel() * (found.",
    ),
    Mutation(
        "ghm_regression_loss",
        "factor: squared gradient",
        "distance.abs() / length)",
        "(distance / length) ** 2)",
    ),
)

STRUCTURE = (
    Mutation(
        "bags", "factor: mean over the batch", "kept * (len(own) / kept.sum().clamp_min(1))", "1.0 * kept"
    ),
    Mutation(
        "bags",
        "missing case: groups without rows",
        "(self.ratio * own.sum()).floor()",
        "(self.ratio * own.sum().clamp_min(1)).floor()",
    ),
    Mutation("bags", "extra term: others keep their share", "classes.softmax(1)", "classes.exp()"),
    Mutation("poly_loss", "sign: of the terms", "losses + factor * rest**j", "losses - factor * rest**j"),
    Mutation("poly_loss", "factor: power", "start=1)", "start=2)"),
    Mutation(
        "qfl",
        "sign: near ones count",
        "_power(quality - prediction.sigmoid(), self.beta)",
        "_power(1 - quality - prediction.sigmoid(), self.beta)",
    ),
    Mutation(
        "varifocal_loss", "factor: α for all", "quality > 0, quality, easy", "quality > 0, self.alpha, easy"
    ),
    Mutation(
        "dfl",
        "swapped: shares of the neighbours",
        "(1 - share) * low + share * high",
        "share * low + (1 - share) * high",
    ),
    Mutation(
        "consistency_loss",
        "sign: the divergence the other way",
        "F.kl_div(log_p, log_q,",
        "F.kl_div(log_q, log_p,",
    ),
    Mutation(
        "consistency_loss",
        "missing term: gradient into the target",
        "target = target.detach()",
        "target = target * 1",
    ),
)

SAMPLING = (
    Mutation(
        "random_over_sampling",
        "factor: to the mean",
        "return int(counts.max())",
        "return int(counts.sum() // len(counts) + counts.max() // 2)",
    ),
    Mutation(
        "random_under_sampling",
        "missing term: with replacement",
        "torch.randperm(len(own), generator=draw)[: self.each]",
        "torch.randint(len(own), (self.each,), generator=draw)",
    ),
    Mutation("reversed_sampling", "sign: of the power", "power=-1.0", "power=1.0"),
    Mutation(
        "progressively_balanced_sampling",
        "sign: the other way",
        "t = min(epoch / self.epochs, 1.0)",
        "t = 1 - min(epoch / self.epochs, 1.0)",
    ),
    Mutation("longtail_profile", "factor: C for C - 1", "max(len(counts) - 1, 1)", "len(counts)"),
    Mutation(
        "decoupling_crt",
        "missing: the head is the first stage's",
        "self.classifier(features)\n",
        "self.head(features)\n",
    ),
    Mutation("decoupling_crt", "missing: rows as they come", ", ClassBalanced(labels, seed))", ")"),
    Mutation("decoupling_tau_norm", "factor: τ is not heard", "length, 1.0) ** tau", "length, 1.0)"),
    Mutation("decoupling_lws", "extra term: scales of features", "self.factors * x", "self.factors + x"),
    Mutation(
        "decoupling_ncm", "sign: the farthest", "-self.log_scale.exp() * far", "self.log_scale.exp() * far"
    ),
    Mutation(
        "meta_sampler",
        "missing term: straight through",
        "return 1 + (soft - soft.detach())",
        "return torch.ones_like(soft)",
    ),
    Mutation(
        "meta_sampler",
        "missing term: counts",
        "self.log_counts + F.logsigmoid",
        "0 * self.log_counts + F.logsigmoid",
    ),
    Mutation(
        "meta_sampler", "sign: uphill", "value - self.inner_lr * slopes", "value + self.inner_lr * slopes"
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*WEIGHTS, *GRADIENTS, *STRUCTURE, *SAMPLING)
