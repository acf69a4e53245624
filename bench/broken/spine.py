"""One or two broken formulas for each method of the first shelves."""

from bench.broken.mutation import Mutation, borrowed, rebound

ACTIVATIONS = (
    borrowed("relu", "sign: the negative part", "torch.nn:ReLU", "return -super().forward(-x)"),
    borrowed("leaky_relu", "factor: slope 0.02", "torch.nn:LeakyReLU", "return torch.maximum(x, 0.02 * x)"),
    borrowed("elu", "missing term: the -1", "torch.nn:ELU", "return torch.where(x > 0, x, x.exp())"),
    borrowed("selu", "factor: without λ", "torch.nn:SELU", "return super().forward(x) / 1.0507009873554805"),
    borrowed("gelu", "missing term: the cubic", "torch.nn:GELU", "return x * torch.sigmoid(1.595769 * x)"),
    borrowed("softplus", "factor: β = 2", "torch.nn:Softplus", "return super().forward(2 * x) / 2"),
    borrowed("swish", "factor: β = 1.1", "torch.nn:SiLU", "return x * torch.sigmoid(1.1 * x)"),
    borrowed(
        "mish", "missing term: x without tanh", "torch.nn:Mish", "return x * super().forward(x) / (x + 3)"
    ),
    borrowed("hardsigmoid", "factor: slope 1/5", "torch.nn:Hardsigmoid", "return (x / 5 + 0.5).clamp(0, 1)"),
    borrowed("tanh", "factor: tanh(x/2)", "torch.nn:Tanh", "return torch.tanh(x / 2)"),
    Mutation("softmax", "axis: over the batch", 'options={"dim": -1}', 'options={"dim": 0}'),
)

LAYERS = (
    borrowed(
        "layer_norm",
        "missing term: the mean stays",
        "torch.nn:LayerNorm",
        "return torch.nn.functional.rms_norm(x, self.normalized_shape, eps=self.eps)",
    ),
    rebound("rms_norm", "extra term: the mean is taken off", "torch.nn:RMSNorm", "torch.nn:LayerNorm"),
    borrowed(
        "batch_norm",
        "factor: the unbiased variance",
        "torch.nn:BatchNorm2d",
        "n = x.numel() / x.shape[1]; return super().forward(x) * (1 - 1 / n) ** 0.5",
    ),
    borrowed("max_pool", "sign: the smallest", "torch.nn:MaxPool2d", "return -super().forward(-x)"),
    borrowed("avg_pool", "factor: the sum", "torch.nn:AvgPool2d", "return 4 * super().forward(x)"),
    Mutation("lp_pool", "factor: p = 3", '"norm_type": 2', '"norm_type": 3'),
)

OPTIMIZERS = (
    Mutation("momentum_sgd", "factor: μ = 0.8", '{"momentum": 0.9},', '{"momentum": 0.8},'),
    Mutation("nag", "missing term: no look ahead", '"nesterov": True', '"nesterov": False'),
    rebound("adamw", "wrong place: decay in the gradient", "torch.optim:AdamW", "torch.optim:Adam"),
    Mutation("amsgrad", "missing term: no maximum", '{"amsgrad": True}', '{"amsgrad": False}'),
    rebound("radam", "missing term: no rectification", "torch.optim:RAdam", "torch.optim:Adam"),
    rebound("nadam", "missing term: no look ahead", "torch.optim:NAdam", "torch.optim:Adam"),
    rebound("adamax", "wrong norm: 2 for infinity", "torch.optim:Adamax", "torch.optim:Adam"),
    rebound("adagrad", "missing term: no accumulator", "torch.optim:Adagrad", "torch.optim:SGD"),
    Mutation(
        "adam",
        "missing term: no bias correction of the mean",
        '"adam",\n    "torch.optim:Adam"',
        '"adam",\n    "HERE:Broken"',
        "import torch\n\n\nclass Broken(torch.optim.Adam):\n"
        "    def step(self, closure=None):\n"
        "        step = max((int(s['step']) for s in self.state.values() if 'step' in s), default=0) + 1\n"
        "        rates = [group['lr'] for group in self.param_groups]\n"
        "        for group in self.param_groups:\n"
        "            group['lr'] = group['lr'] * (1 - group['betas'][0] ** step)\n"
        "        loss = super().step(closure)\n"
        "        for group, rate in zip(self.param_groups, rates):\n"
        "            group['lr'] = rate\n"
        "        return loss",
    ),
    rebound(
        "lr_exponential",
        "wrong time: all at once",
        "torch.optim.lr_scheduler:ExponentialLR",
        "torch.optim.lr_scheduler:ConstantLR",
    ),
    Mutation(
        "lr_cosine",
        "factor: a whole wave",
        '"torch.optim.lr_scheduler:CosineAnnealingLR"',
        '"HERE:Broken"',
        "from torch.optim.lr_scheduler import CosineAnnealingLR\n\n\nclass Broken(CosineAnnealingLR):\n"
        "    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):\n"
        "        super().__init__(optimizer, 2 * T_max, eta_min, last_epoch)",
    ),
)

LOSSES = (
    Mutation(
        "perceptron_loss", "sign: y s", "torch.where(margin <= 0, -margin", "torch.where(margin <= 0, margin"
    ),
    Mutation("perceptron_loss", "axis: over the batch", ".sum(1)  # (b,)", ".sum(0)  # (b,)"),
    Mutation("perceptron_loss", "missing case: no step at zero", "margin <= 0,", "margin < 0,"),
    Mutation(
        "gan_minimax",
        "sign: of the generator",
        "return -F.softplus(fake_logits)",
        "return F.softplus(fake_logits)",
    ),
    Mutation(
        "gan_minimax",
        "missing term: the generated samples",
        "F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()",
        "F.softplus(-real_logits).mean() + 0 * F.softplus(fake_logits).mean()",
    ),
    Mutation(
        "gan_nonsaturating",
        "factor: 2",
        "return F.softplus(-fake_logits).mean()",
        "return 2 * F.softplus(-fake_logits).mean()",
    ),
    Mutation("label_smoothing", "factor: ε = 0.2", '"label_smoothing": 0.1}', '"label_smoothing": 0.2}'),
    Mutation("kl_divergence", "factor: mean over numbers", '"batchmean"}', '"mean"}'),
    rebound("smooth_l1", "wrong norm: squared far out too", "torch.nn:SmoothL1Loss", "torch.nn:MSELoss"),
    rebound("l1_loss", "wrong norm: squared", "torch.nn:L1Loss", "torch.nn:MSELoss"),
)

NETWORKS = (
    Mutation(
        "linear_regression",
        "sign: of the bias's correction",
        "y_mean - x_mean @ weight",
        "y_mean + x_mean @ weight",
    ),
    Mutation(
        "logistic_regression",
        "sign: of the score",
        "torch.cat([torch.zeros_like(score), score], 1)",
        "torch.cat([score, torch.zeros_like(score)], 1)",
    ),
    Mutation(
        "softmax_regression",
        "sign: of the scores",
        'return self.head(self.forward_features(x))\n\n\n@method(\n    "logistic',
        'return -self.head(self.forward_features(x))\n\n\n@method(\n    "logistic',
    ),
    Mutation(
        "perceptron", "rule: plain cross entropy", '"loss": "perceptron_loss"', '"loss": "cross_entropy"'
    ),
    Mutation(
        "mlp",
        "missing term: no activation between",
        "layers.append(chosen(activation, narrow))",
        "layers.append(nn.Identity())",
    ),
    Mutation(
        "mlp",
        "missing term: no bias in the head",
        "widths[-1], num_classes)",
        "widths[-1], num_classes, bias=False)",
    ),
    Mutation("lenet5", "missing term: an activation", "nn.Linear(120, 84), act(84))", "nn.Linear(120, 84))"),
    Mutation(
        "lenet5",
        "factor: the mean in place of the largest",
        "return nn.MaxPool2d(2)",
        "return nn.AvgPool2d(2)",
    ),
    Mutation("lenet5_1998", "factor: tanh(x/3)", "torch.tanh(x * (2 / 3))", "torch.tanh(x * (1 / 3))"),
    Mutation(
        "lenet5_1998",
        "sign: of the distance",
        "return -(x[:, None] - self.codes)",
        "return (x[:, None] - self.codes)",
    ),
    Mutation(
        "lenet5_1998", "wrong link in the table", "(0, 3, 4, 5), (0, 1, 4, 5)", "(0, 3, 4, 5), (0, 2, 4, 5)"
    ),
)

RESIDUAL = (
    Mutation(
        "resnet20_cifar",
        "missing term: no shortcut",
        "self.activation(self.body(x) + self.shortcut(x))",
        "self.activation(self.body(x))",
        page="networks/convolutional/resnet.py",
    ),
    Mutation("resnet20_cifar", "axis: new channels before the old", "0, self.new))", "self.new, 0))"),
    Mutation(
        "nin_cifar10",
        "factor: largest in place of the mean",
        "nn.AvgPool2d(3, 2, 1)",
        "nn.MaxPool2d(3, 2, 1)",
    ),
)

PARTS, BOUNDS = "generative/variational/parts.py", "generative/variational/bounds.py"
LEARNERS = (
    Mutation("vae", "missing term: KL's -1", "- self.log_variance - 1)", "- self.log_variance)", page=PARTS),
    Mutation(
        "vae", "factor: σ² for σ", "(self.log_variance / 2).exp()", "self.log_variance.exp()", page=PARTS
    ),
    Mutation("vae", "sign: of the KL", "- beta * latents.kl", "+ beta * latents.kl", page=BOUNDS),
    Mutation("vae", "missing term: log k", " - math.log(len(log_weights))", "", page=BOUNDS),
    Mutation("vae", "factor: loss per value", "latents).mean(), parts", "latents).mean() / 16, parts"),
    Mutation("factor_vae", "sign: of the penalty", "+ self.gamma * told", "- self.gamma * told"),
    Mutation(
        "factor_vae",
        "axis: all dimensions shuffled together",
        "torch.rand_like(codes).argsort(0)",
        "torch.rand_like(codes[:, :1]).argsort(0).expand_as(codes)",
    ),
    Mutation(
        "autoencoder",
        "factor: mean for the sum",
        'return {"loss": squared.sum(1)',
        'return {"loss": squared.mean(1)',
    ),
    Mutation("denoising_autoencoder", "sign: what is kept", ") >= self.level", ") < self.level"),
    Mutation("stacked_denoising_autoencoder", "factor: a step too long", "if step < end)", "if step <= end)"),
    Mutation("cyclegan", "sign: of the identity term", "(cycle + self.identity", "(cycle - self.identity"),
    Mutation("cyclegan", "sign: the critic's target", "((critic(real) - 1)", "((critic(real) + 1)"),
    Mutation(
        "real_nvp",
        "sign: of the determinant",
        "return x * s.exp() + t, s.flatten(1).sum(1)",
        "return x * s.exp() + t, -s.flatten(1).sum(1)",
        page="generative/flows/coupling.py",
    ),
    Mutation(
        "real_nvp",
        "missing term: the base alone",
        "return self.base.log_prob(z) + log_det",
        "return self.base.log_prob(z)",
        page="generative/flows/flow.py",
    ),
    Mutation(
        "ddpm",
        "factor: variance for deviation",
        '"spread": (1 - alpha_bars).sqrt()',
        '"spread": (1 - alpha_bars)',
        page="generative/diffusion/process.py",
    ),
    Mutation("ddpm", "extra term: noise at the last step back", "later * at(self._var", "at(self._var"),
)

TOOLS = (
    Mutation("mean_iou", "missing term: both counted twice", "self.found() - both", "self.found()"),
    Mutation(
        "mean_iou",
        "wrong mean: absent classes count",
        "per_class().nanmean()",
        "per_class().nan_to_num().mean()",
    ),
    Mutation(
        "nms",
        "missing term: both counted twice",
        "areas(a) + areas(b) - both",
        "areas(a) + areas(b)",
        page="nn/boxes/iou.py",
    ),
    Mutation(
        "nms",
        "sign: far boxes are dropped",
        "columns) > threshold",
        "columns) < threshold",
        page="nn/boxes/ranking.py",
    ),
    Mutation("count_params", "missing case: shared ones count twice", " if id(p) not in seen]", "]"),
    Mutation(
        "count_macs",
        "axis: of a matrix product",
        "args[left].shape[-1]\n\n\ndef _conv",
        "args[left].shape[0]\n\n\ndef _conv",
    ),
)

LATER = (
    Mutation("focal_loss", "missing term: (1 - p)^γ", "** gamma * -log_p", "* -log_p"),
    Mutation(
        "focal_loss", "factor: α of another class", "(losses.dtype)[target]", "(losses.dtype)[target - 1]"
    ),
    Mutation(
        "sigmoid_focal_loss",
        "factor: α for both labels",
        "(1 - self.alpha) * losses)",
        "self.alpha * losses)",
    ),
    Mutation(
        "triplet_loss",
        "sign: of the distances",
        "- distance[:, None, :] + self",
        "+ distance[:, None, :] + self",
    ),
    Mutation(
        "triplet_loss",
        "missing case: hard ones among the semi-hard",
        "(lead > 0) & (lead < self",
        "(lead < self",
    ),
    Mutation("class_balanced_sampling", "factor: by frequency", "** power, 0.0)", "** (1 - power), 0.0)"),
)

MUTATIONS: tuple[Mutation, ...] = (
    *(*ACTIVATIONS, *LAYERS, *OPTIMIZERS, *LOSSES, *NETWORKS),
    *(*RESIDUAL, *LEARNERS, *TOOLS, *LATER),
)
