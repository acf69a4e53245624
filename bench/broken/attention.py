"""Broken attention in convolutional networks, and broken positions."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "se",
        "missing term: no sigmoid",
        "self.excite(mean_of_map(x))\n        return scores.sigmoid()",
        "self.excite(mean_of_map(x))\n        return scores",
    ),
    Mutation(
        "tse",
        "missing case: tiles that the border cuts",
        "return means / shares",
        "return means",
        page="nn/pooling/windows.py",
    ),
    Mutation(
        "spanet_att", "rule: the largest", "F.adaptive_avg_pool2d(x, size)", "F.adaptive_max_pool2d(x, size)"
    ),
    Mutation(
        "scse", "sign: a difference", "return by_channel + by_position", "return by_channel - by_position"
    ),
    Mutation("scse_max", "sign: the smaller", "torch.maximum(", "torch.minimum("),
    Mutation(
        "genet",
        "factor: windows as wide as their step",
        "side, step = 2 * self.extent - 1, self.extent",
        "side, step = self.extent, self.extent",
    ),
    Mutation(
        "genet_theta",
        "missing term: no ReLU between",
        "layers += [nn.ReLU()] if step else []",
        "layers += []",
    ),
    Mutation(
        "genet_theta_plus",
        "missing term: channels are not mixed",
        "found if self.mix is None else self.mix(found)",
        "found",
    ),
    Mutation("eca", "wrong place: padding", "padding=k // 2, bias=False", "padding=k - 1, bias=False"),
    Mutation(
        "eca",
        "factor: k of another rule",
        "(math.log2(channels) + 1) / 2",
        "(math.log2(channels) - 1) / 2",
    ),
    Mutation("srm", "missing term: the deviation", "(variance + self.eps).sqrt()), 3)", "0 * variance), 3)"),
    Mutation(
        "nam",
        "factor: scales as they are",
        "F.normalize(self.norm.weight.abs(), p=1, dim=0)",
        "self.norm.weight.abs()",
    ),
    Mutation("sge", "axis: no mean over positions", "parts.mean((3, 4), keepdim=True)", "parts"),
    Mutation(
        "simam",
        "factor: n in place of n - 1",
        "max(1, x.shape[2] * x.shape[3] - 1)",
        "(x.shape[2] * x.shape[3])",
    ),
    Mutation("simam", "missing term: the half", "+ 0.5).sigmoid()", ").sigmoid()"),
    Mutation("fcanet", "factor: steps from 0", "dtype=torch.double) + 0.5", "dtype=torch.double)"),
    Mutation(
        "fcanet",
        "axis: across and down",
        "cosine(u * finer, size), cosine(v * finer, size)",
        "cosine(v * finer, size), cosine(u * finer, size)",
    ),
    Mutation(
        "gsop", "missing term: not centred", "centred = few - few.mean(2, keepdim=True)", "centred = few"
    ),
    Mutation(
        "cbam",
        "missing term: the largest",
        "self.excite(mean_of_map(x)) + self.excite(x.amax((2, 3), keepdim=True))",
        "self.excite(mean_of_map(x))",
    ),
    Mutation(
        "cbam", "rule: the smallest of all channels", "x.amax(1, keepdim=True)", "x.amin(1, keepdim=True)"
    ),
    Mutation(
        "cbam",
        "missing term: no ReLU",
        "*norms,\n        nn.ReLU(),",
        "*norms,\n        nn.Identity(),",
        page="nn/attention/gate.py",
    ),
    Mutation("bam", "missing term: the map itself", "return 1 + scores.sigmoid()", "return scores.sigmoid()"),
    Mutation(
        "bam",
        "factor: dilation of 1",
        "1, dilation, dilation), nn.BatchNorm2d(hidden), nn.ReLU()),\n            nn.Conv2d(hidden, 1, 1)",
        "1, 1, 1), nn.BatchNorm2d(hidden), nn.ReLU()),\n            nn.Conv2d(hidden, 1, 1)",
    ),
    Mutation(
        "shuffle_attention",
        "missing term: no shuffle",
        "return together.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)",
        "return together",
    ),
    Mutation(
        "triplet_attention",
        "axis: rows twice",
        "self.columns(x.transpose(1, 3)).transpose(1, 3)",
        "self.columns(x.transpose(1, 2)).transpose(1, 2)",
    ),
    Mutation(
        "coord_attention",
        "missing term: columns",
        "return down * across.transpose(2, 3)",
        "return down + 0 * across.transpose(2, 3)",
    ),
    Mutation(
        "sknet",
        "axis: softmax over channels",
        "unflatten(1, (len(self.branches), -1)).softmax(1)",
        "unflatten(1, (len(self.branches), -1)).softmax(2)",
    ),
    Mutation(
        "epsa",
        "missing term: no squeeze-and-excitation sigmoid",
        "maps.flatten(0, 1))).sigmoid()",
        "maps.flatten(0, 1)))",
    ),
    Mutation(
        "nonlocal",
        "axis: softmax over those who ask",
        "(q @ k.mT).softmax(2) @ v",
        "(q @ k.mT).softmax(1) @ v",
    ),
    Mutation("nonlocal", "missing term: the residual", "return x + added", "return added"),
    Mutation(
        "nonlocal_gaussian", "wrong thing: embeddings", 'embeds = self.form != "gaussian"', "embeds = True"
    ),
    Mutation("nonlocal_dot", "factor: not divided by N", "q @ ((k / k.shape[1]).mT @ v)", "q @ (k.mT @ v)"),
    Mutation(
        "nonlocal_concatenation",
        "missing term: no ReLU",
        "F.relu(first[:, :, None] + second[:, None])",
        "(first[:, :, None] + second[:, None])",
    ),
    Mutation(
        "danet",
        "sign: like channels count most",
        "(-(rows @ rows.mT)).softmax(2)",
        "(rows @ rows.mT).softmax(2)",
    ),
    Mutation(
        "danet",
        "axis: shares not turned",
        "@ shares.mT\n\n    def among_channels",
        "@ shares\n\n    def among_channels",
    ),
    Mutation(
        "a2net", "axis: both softmaxes over positions", "flatten(2).softmax(1)", "flatten(2).softmax(2)"
    ),
    Mutation("psa_polarized", "missing term: no norm", "self.norm(self.widen(seen))", "self.widen(seen)"),
    Mutation(
        "psa_polarized_sequential",
        "wrong thing: positions of x",
        'self.position(y if self.order == "sequential" else x)',
        "self.position(x)",
    ),
    Mutation(
        "ccnet",
        "missing case: itself twice",
        "down.masked_fill(itself, -torch.inf)",
        "down.masked_fill(itself, 0.0)",
    ),
    Mutation(
        "annnet", "missing case: the last size", "for size in self.sizes]", "for size in self.sizes[:-1]]"
    ),
    Mutation(
        "isanet",
        "order: near positions first",
        "y = y.permute(0, 3, 5, 1, 2, 4)",
        "y = y.permute(0, 2, 4, 1, 3, 5)",
    ),
    Mutation("isanet", "missing term: the border on both sides", "- h) // 2", "- h) * 0"),
    Mutation(
        "san_sa",
        "sign: ψ(x_j) added",
        "[:, :, None] - self.neighbours(self.key",
        "[:, :, None] + self.neighbours(self.key",
    ),
    Mutation("san_sa", "missing case: beyond the border", "== 0\n", "< 0\n"),
    Mutation(
        "san_patchwise",
        "missing term: φ(x_i)",
        "(self.query(x).flatten(2), around)",
        "(0 * self.query(x).flatten(2), around)",
    ),
    Mutation("ccnet", "factor: one turn", "for _ in range(self.recurrence)", "for _ in range(1)"),
    Mutation(
        "gcnet",
        "missing term: the mean in place of attention",
        "flatten(2).softmax(2)  # (b, 1, h w)",
        "flatten(2).mul(0).softmax(2)",
    ),
    Mutation(
        "emanet",
        "axis: softmax over positions",
        "            if step < self.steps - 1:\n                z = (v.mT @ mu).softmax(2)",
        "            if step < self.steps - 1:\n                z = (v.mT @ mu).softmax(1)",
    ),
    Mutation("emanet", "factor: bases move by the momentum", "1 - self.momentum)", "self.momentum)"),
    Mutation(
        "hamburger",
        "wrong thing: Gram matrix of the other",
        "d = _nearer(d, v @ c, d @ (c.mT @ c))",
        "d = _nearer(d, v @ c, d @ (d.mT @ d))",
    ),
    Mutation("aff", "sign: shares the other way about", "torch.lerp(y, x,", "torch.lerp(x, y,"),
    Mutation("iaff", "missing term: one round", "for _ in range(rounds))", "for _ in range(1))"),
    Mutation(
        "atac",
        "factor: of the means",
        "scores: Tensor = self.near(x)\n",
        "scores: Tensor = self.near(mean_of_map(x))\n",
    ),
    Mutation(
        "ulsam",
        "missing term: the map itself",
        "torch.repeat_interleave(1 + shares,",
        "torch.repeat_interleave(shares,",
    ),
    Mutation("scnet", "missing term: the map in its own gate", "(first + view).sigmoid()", "view.sigmoid()"),
    Mutation(
        "aaconv",
        "sign: of the distance down",
        "self.by_distance(q.transpose(2, 3), self.down).transpose(2, 3)",
        "self.by_distance(q.transpose(2, 3), self.down.flip(0)).transpose(2, 3)",
    ),
    Mutation(
        "csra",
        "missing term: rows of any length",
        "F.normalize(self.classes.weight, dim=1)",
        "self.classes.weight",
    ),
    Mutation(
        "sinusoidal_pe",
        "axis: all sines before all cosines",
        "turned.cos()), 2).flatten(1)",
        "turned.cos()), 1).flatten(1)",
    ),
    Mutation(
        "sinusoidal_pe_2d",
        "axis: rows before columns",
        "torch.cat((across, down), 2)",
        "torch.cat((down, across), 2)",
    ),
    Mutation(
        "learned_pe",
        "wrong place: the last ones",
        "return self.weight[:length]",
        "return self.weight[-length:]",
    ),
    Mutation(
        "hierarchical_pe",
        "factor: u without its divisor",
        "self.alpha * self.weight[:1]) / (1 - self.alpha)",
        "self.alpha * self.weight[:1])",
    ),
    Mutation("floater", "factor: Euler's weights", "(a + 2 * b + 2 * c + d)", "(a + b + 3 * c + d)"),
    Mutation(
        "floater",
        "missing term: time stands still",
        "self._next(k * self.step, path[-1])",
        "self._next(0.0, path[-1])",
    ),
    Mutation("rope", "sign: half a turn back", "b * cos + a * sin", "b * cos - a * sin"),
    Mutation(
        "rope_halves",
        "axis: neighbours are pairs",
        'shape = (-1, 2) if self.layout == "interleaved" else (2, -1)',
        "shape, pairs = (-1, 2), -1",
    ),
    Mutation(
        "complex_pe", "missing term: the phase", "angle = speed * places + phase", "angle = speed * places"
    ),
    Mutation(
        "t5_rpe",
        "missing case: half of the buckets",
        "count = buckets // 2 if bidirectional else buckets",
        "count = buckets // 2",
    ),
    Mutation("t5_rpe", "factor: scaled products", "        return 1.0\n", "        return width**-0.5\n"),
    Mutation("alibi", "sign: the far count more", "(-wide(self.slopes)", "(wide(self.slopes)"),
    Mutation(
        "alibi",
        "wrong place: the first of the further slopes",
        "range(1, 2 * whole, 2)]",
        "range(1, 2 * whole)]",
    ),
    Mutation(
        "urpe",
        "axis: the other way about",
        "self.weight[:, middle - (m - 1) : middle + n], n, m)",
        "self.weight.flip(1)[:, middle - (m - 1) : middle + n], n, m)",
    ),
    Mutation(
        "shaw_rpe",
        "missing term: of values",
        "return shares @ v + each.to(v.dtype) @ self.values",
        "return shares @ v",
    ),
    Mutation(
        "shaw_rpe",
        "sign: keys ahead for keys behind",
        "which = distances(q, k).clamp",
        "which = -distances(q, k).clamp",
    ),
    Mutation("xlnet_rpe", "missing term: u", "(by_place + self.u @ k.mT)", "by_place"),
    Mutation(
        "xlnet_rpe",
        "sign: of the distance",
        "behind = -from_farthest(q, k).to",
        "behind = from_farthest(q, k).to",
    ),
    Mutation("deberta_rpe", "factor: two terms", "return (3 * width) ** -0.5", "return (2 * width) ** -0.5"),
    Mutation(
        "deberta_rpe", "wrong place: the paper's index", 'delta if self.index == "code" else back', "back"
    ),
    Mutation(
        "deberta_rpe_paper",
        "wrong place: the code's index",
        'delta if self.index == "code" else back',
        "delta",
    ),
)
