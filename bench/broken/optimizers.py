"""One or two broken formulas for each optimizer of our own."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("lars", "missing term: decay in the ratio", "(wide + decay * long)", "wide"),
    Mutation(
        "lars",
        "factor: the rate twice",
        "torch._foreach_sub_(w, v)",
        "torch._foreach_addcmul_(w, v, rate, value=-1.0)",
    ),
    Mutation(
        "novograd", "wrong place: ε inside the root", '(roots, group["eps"])', '(roots, group["eps"] ** 0.5)'
    ),
    Mutation("novograd", "missing case: the first norm", "square.clone()", "0 * square"),
    Mutation(
        "lion",
        "factor: one decay for both",
        "signs = torch._foreach_lerp(m, g, 1 - beta1)",
        "signs = torch._foreach_lerp(m, g, 1 - beta2)",
    ),
    Mutation(
        "lion", "sign: of the decay", '1 - rate * group["weight_decay"]', '1 + rate * group["weight_decay"]'
    ),
    Mutation(
        "adax", "factor: the second moment forgets", "off_one(1 + beta2, counts", "off_one(1 - beta2, counts"
    ),
    Mutation("adax", "wrong place: decay apart from the gradient", "elif decay:", "elif False:"),
    Mutation(
        "amos",
        "missing term: no bias correction",
        "torch._foreach_mul_(inverse, off_one(beta, self.counted(weights, group)))  # r",
        "pass",
    ),
    Mutation(
        "amos",
        "factor: c and not its root",
        "torch._foreach_sqrt_(slower)",
        "torch._foreach_mul_(slower, 1.0)",
    ),
    Mutation(
        "funnelled_sgdm",
        "sign: gains fall with agreement",
        'value=group["gain_rate"]',
        'value=-group["gain_rate"]',
    ),
    Mutation(
        "funnelled_sgdm",
        "missing term: no common scale",
        '(scales, group["scale_rate"] * agreement)',
        "(scales, 0 * agreement)",
    ),
    Mutation(
        "sm3",
        "wrong bound: the largest slice of the further axes",
        "reduce(torch.minimum, reversed(others))",
        "reduce(torch.maximum, reversed(others))",
    ),
    Mutation("sm3", "wrong bound: that of the rows", "torch.minimum(t, b)", "torch.maximum(t, b)"),
    Mutation(
        "sm3",
        "missing term: the maximum so far",
        "torch.maximum(high, value.amax(0, keepdim=True), out=high)",
        "high.copy_(value.amax(0, keepdim=True))",
    ),
    Mutation("sm3", "missing term: form I's columns", "_spread(highs, covers, torch._foreach_add_)", "pass"),
    Mutation(
        "lamb",
        "missing term: no trust ratio",
        "bites(weights, updates, ratios)",
        "bites(weights, updates, torch.ones(len(weights)).unbind())",
    ),
    Mutation(
        "lamb",
        "missing term: no bias correction of the mean",
        "starts = off_one(beta1, counts)",
        "starts = [1.0 for _ in counts]",
    ),
    Mutation("lookahead", "factor: all the way", "(slow, fast, self.alpha)", "(slow, fast, 1.0)"),
    Mutation("sam", "sign: the best point nearby", "self.rho / norm, 0.0)", "-self.rho / norm, 0.0)"),
    Mutation("sam", "missing term: the gradient as it is", "self.rho / norm, 0.0)", "self.rho, 0.0)"),
    Mutation("zeroth_order", "factor: 2", "/ (2 * self.eps)", "/ self.eps"),
    Mutation("zeroth_order", "missing term: the number of weights", "(count if self.sphere else 1)", "1"),
    Mutation(
        "forward_gradient",
        "missing term: the product alone",
        "scaled(direction, slope)",
        "scaled(grads, slope)",
    ),
    Mutation("gradientless_descent", "sign: the worst", "value < lowest", "value > lowest"),
    Mutation(
        "gradientless_descent", "factor: quarters", "2.0 ** -(power + shrunk)", "4.0 ** -(power + shrunk)"
    ),
    Mutation("lr_inverse_sqrt", "factor: 1 / t", "(w / t) ** 0.5", "(w / t)"),
    Mutation(
        "linear_scaling_rule",
        "factor: the root",
        "lr * batch_size / base_batch_size",
        "lr * (batch_size / base_batch_size) ** 0.5",
    ),
    Mutation(
        "batch_size_schedule", "missing term: the rest of the rate", "rate * batch / batch_size)", "rates[0])"
    ),
)
