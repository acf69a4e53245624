"""Broken convolutions."""

from bench.broken.mutation import Mutation, borrowed, rebound

MUTATIONS: tuple[Mutation, ...] = (
    borrowed(
        "conv2d",
        "axis: the kernel is flipped",
        "torch.nn:Conv2d",
        "return self._conv_forward(x, self.weight.flip(-1), self.bias)",
    ),
    borrowed(
        "conv1x1",
        "missing term: the bias",
        "torch.nn:Conv2d",
        "return self._conv_forward(x, self.weight, None)",
    ),
    Mutation("dilated_conv", "factor: d = 1", '"dilation": 2}', '"dilation": 1}'),
    borrowed(
        "transposed_conv",
        "axis: the kernel is flipped",
        "torch.nn:ConvTranspose2d",
        "return super().forward(x.flip(-1)).flip(-1)",
    ),
    Mutation("grouped_conv", "factor: one group", '"groups": 2}', '"groups": 1}'),
    rebound("grouped_conv", "wrong thing: transposed", "torch.nn:Conv2d", "torch.nn:ConvTranspose2d"),
    Mutation(
        "depthwise_conv",
        "factor: half the groups",
        "dilation, in_channels, bias)",
        "dilation, in_channels // 2, bias)",
    ),
    Mutation(
        "depthwise_separable_conv",
        "missing term: the bias",
        "out_channels, 1, bias=bias)",
        "out_channels, 1, bias=False)",
    ),
    Mutation(
        "spatially_separable_conv",
        "axis: strides changed about",
        "(kh, 1), (sh, 1), (ph, 0), bias=False)",
        "(kh, 1), (sw, 1), (ph, 0), bias=False)",
    ),
    Mutation(
        "flattened_conv",
        "missing case: across is dense",
        "(0, pw), groups=out, bias=bias)",
        "(0, pw), groups=1, bias=bias)",
    ),
    Mutation(
        "adder_conv",
        "sign: of the distance",
        "        return -_distances(window.columns(x), weight)",
        "        return _distances(window.columns(x), weight)",
    ),
    Mutation("adder_conv", "missing term: no clipping", "differences.clamp_(-1, 1)", "differences"),
    Mutation(
        "adder_conv", "factor: scaled by k", "math.sqrt(weight.numel()) / norm", "weight.numel() / norm"
    ),
    Mutation(
        "adder_conv", "missing term: weights in their gradient", " - flat * grad.sum((0, 2))[:, None]", ""
    ),
    Mutation("mitchell_conv", "missing case: no carry", "return torch.maximum(1 + m, 2 * m)", "return 1 + m"),
    Mutation(
        "mitchell_conv",
        "missing case: zero is one half",
        "torch.where(mantissa == 0, 1.0, 2 * mantissa.abs())\n    return power.detach()",
        "torch.where(mantissa == 0, 1.0, 2 * mantissa.abs())\n    return 0.5 + 0 * power.detach()",
    ),
    Mutation(
        "cdc",
        "sign: of the middle",
        "return self.weight - self.theta * F.pad",
        "return self.weight + self.theta * F.pad",
    ),
    Mutation("cross_cdc", "wrong place in the cross", '"hv": (1, 3, 4, 5, 7)', '"hv": (1, 3, 4, 5, 8)'),
    Mutation("cpdc", "sign: the middle", "4: -self.weight.sum(2)", "4: self.weight.sum(2)"),
    Mutation(
        "apdc",
        "wrong place: counterclockwise",
        "BEFORE = (3, 0, 1, 6, 2, 7, 8, 5)",
        "BEFORE = (1, 2, 5, 0, 8, 3, 6, 7)",
    ),
    Mutation(
        "rpdc",
        "factor: rings one apart",
        "5 * (2 + 2 * down) + 2 + 2 * across",
        "5 * (2 + 2 * down) + 2 + across",
    ),
    Mutation(
        "circle_conv",
        "factor: too far out",
        "max(abs(down), abs(across)) / math.hypot",
        "1.2 * max(abs(down), abs(across)) / math.hypot",
    ),
    Mutation(
        "inception_conv",
        "missing term: the way back",
        "torch.cat(maps, 1)[:, self.back]",
        "torch.cat(maps, 1)[:, self.order]",
    ),
    Mutation(
        "inception_conv",
        "sign: the worst pattern",
        "torch.stack(losses).argmin(0)",
        "torch.stack(losses).argmax(0)",
    ),
    Mutation(
        "coord_conv",
        "axis: rows for columns",
        "rows.expand(x.shape[2:]), columns.expand",
        "columns.expand(x.shape[2:]), columns.expand",
    ),
    Mutation("deformable_conv", "axis: across before down", "down, across = shifts", "across, down = shifts"),
    Mutation(
        "deformable_conv",
        "missing case: the border repeats",
        "return both.long().clamp(0, count - 1), inside * (1",
        "return both.long().clamp(0, count - 1), (1",
    ),
    Mutation(
        "deformable_conv_v2",
        "missing term: no mask",
        "if share is None else tall[i] * share",
        "if share is None else tall[i]",
    ),
    Mutation(
        "condconv",
        "rule: a softmax",
        "scores: Tensor = self.router(x.mean((2, 3)))\n        return scores.sigmoid()\n",
        "scores: Tensor = self.router(x.mean((2, 3)))\n        return scores.softmax(1)\n",
    ),
    Mutation(
        "dynet",
        "axis: outputs before kernels",
        "unflatten(1, (len(self.weight), -1))",
        "unflatten(1, (-1, len(self.weight))).mT",
    ),
    Mutation("dynamic_conv", "missing term: no temperature", "return scores / self.now()", "return scores"),
    Mutation("dynamic_conv", "wrong time: it never cools", "self.done += 1", "self.done += 0"),
    Mutation(
        "odconv",
        "missing term: no attention to taps",
        "kernels * taps.unflatten",
        "kernels + 0 * taps.unflatten",
    ),
    Mutation(
        "odconv", "missing term: no attention to outputs", "return y * outputs[:, :, None, None]", "return y"
    ),
    Mutation("drconv", "sign: the smallest score", "scores.argmax(1", "scores.argmin(1"),
    Mutation(
        "drconv", "missing term: no sigmoid", "self.window.kernel)).sigmoid())", "self.window.kernel)))"
    ),
    Mutation(
        "involution",
        "missing term: no ReLU",
        "self.span(F.relu(self.norm(self.reduce(x))))",
        "self.span(self.norm(self.reduce(x)))",
    ),
    Mutation(
        "involution",
        "axis: taps down and across",
        "gap * (tap // side), gap * (tap % side)",
        "gap * (tap % side), gap * (tap // side)",
    ),
    Mutation("octave_conv", "missing term: low to high", "y_high = y_high + (", "y_high = y_high + 0 * ("),
    Mutation(
        "octave_conv",
        "missing term: high to low unpooled",
        "self.high_low(_half(high))",
        "self.high_low(high[:, :, ::2, ::2])",
    ),
    Mutation(
        "ffc",
        "missing term: no way around the unit",
        "self.expand(x + self.unit(x))",
        "self.expand(self.unit(x))",
    ),
    Mutation(
        "ffc",
        "factor: not orthonormal",
        'torch.fft.rfft2(*wide(x), norm="ortho")',
        "torch.fft.rfft2(*wide(x))",
    ),
    Mutation("wtconv", "factor: not orthonormal", "a - b - c + d], 2) / 2", "a - b - c + d], 2) / 4"),
    Mutation(
        "wtconv",
        "missing term: deeper levels",
        "smooth = smooth + self._level",
        "smooth = smooth + 0 * self._level",
    ),
    Mutation(
        "sparse_conv",
        "missing case: every window counts",
        "return torch.where(self.sites(active), y, 0.0)",
        "return y",
    ),
    Mutation(
        "submanifold_conv",
        "wrong place: a row too low",
        "row + down * i, column",
        "row + down * (kh - 1 - i), column",
    ),
)
