"""Optimizers beside optax: twenty steps of two groups, with weight decay; matrices, vectors, kernels."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import pytorch_optimizer
import torch
import torchvision_operators  # noqa: F401  before timm
from timm.utils.agc import adaptive_clip_grad
from transformers.optimization import Adafactor

from torchatlas import create, get

STEPS = 20
SHAPES = {"matrix": (5, 3), "vector": (4,), "kernel": (2, 3, 2)}
GROUPS = (("matrix", "vector"), ("kernel",))
SETTINGS = ((1.0, 0.1), (0.5, 0.0))  # each group's share of the rate, and its weight decay


def start():
    """Weights of very different sizes."""
    draw = np.random.default_rng(3)
    return {
        name: draw.normal(size=shape) * 10.0 ** draw.integers(-2, 2, shape) for name, shape in SHAPES.items()
    }


def gradient(weight, step):
    """A slope that changes with weight and step, is large and small, and always zero at the first entry."""
    slope = 0.3 * weight + 2 * np.sin(3 * weight + step) * 10.0 ** np.cos(np.arange(weight.size)).reshape(
        weight.shape
    )
    slope.flat[0] = 0.0
    return slope


def ours(name, lr, options, decays=True):
    """The weights after every step, (steps, numbers)."""
    params = {key: torch.nn.Parameter(torch.from_numpy(value)) for key, value in start().items()}
    groups = [
        {"params": [params[key] for key in keys], "lr": lr * share}
        | ({"weight_decay": decay} if decays else {})
        for keys, (share, decay) in zip(GROUPS, SETTINGS)
    ]
    return trace(create(name, groups, lr=lr, **options), params)


def trace(optimizer, params):
    """The path of a PyTorch optimizer."""
    path = []
    for step in range(STEPS):
        for param in params.values():
            param.grad = torch.from_numpy(gradient(param.detach().numpy(), step))
        optimizer.step()
        path.append(np.concatenate([param.detach().numpy().ravel() for param in params.values()]))
    return np.stack(path)


def theirs(make, lr):
    """The path of an optax transformation, made anew for each group: make(rate, decay)."""
    weights, path = {key: jnp.asarray(value) for key, value in start().items()}, []
    makers = [make(lr * share, decay) for share, decay in SETTINGS]
    states = [maker.init({key: weights[key] for key in keys}) for maker, keys in zip(makers, GROUPS)]
    for step in range(STEPS):
        for k, keys in enumerate(GROUPS):
            mine = {key: weights[key] for key in keys}
            slopes = {key: jnp.asarray(gradient(np.asarray(value), step)) for key, value in mine.items()}
            updates, states[k] = makers[k].update(slopes, states[k], mine)
            weights |= optax.apply_updates(mine, updates)
        path.append(np.concatenate([np.asarray(weights[key]).ravel() for key in SHAPES]))
    return np.stack(path)


def coupled(make):
    """Weight decay as a part of the gradient."""
    return lambda lr, decay: optax.chain(optax.add_decayed_weights(decay), make(lr))


CASES = {  # name: (rate, our options, peer, its maker, tolerance)
    "sgd": (0.05, {}, "sgd", coupled(optax.sgd), 1e-12),
    "momentum_sgd": (0.02, {}, "sgd", coupled(lambda lr: optax.sgd(lr, 0.9)), 1e-12),
    "nag": (0.02, {}, "sgd", coupled(lambda lr: optax.sgd(lr, 0.9, nesterov=True)), 1e-12),
    "adagrad": (0.1, {}, "adagrad", coupled(lambda lr: optax.adagrad(lr, 0.0, 0.0)), 1e-8),
    "rmsprop": (
        0.01,
        {},
        "rmsprop",
        coupled(lambda lr: optax.rmsprop(lr, 0.99, 1e-8, eps_in_sqrt=False)),
        1e-12,
    ),
    "adadelta": (1.0, {}, "adadelta", coupled(lambda lr: optax.adadelta(lr, 0.9, 1e-6)), 1e-12),
    "adam": (0.01, {}, "adam", coupled(optax.adam), 1e-12),
    "adamw": (0.01, {}, "adamw", lambda lr, decay: optax.adamw(lr, weight_decay=decay), 1e-12),
    "adamax": (0.01, {}, "adamax", coupled(optax.adamax), 1e-12),
    "nadam": (
        0.01,
        {"momentum_decay": 1e5},
        "nadam",
        coupled(optax.nadam),
        1e-7,
    ),  # so μ is β₁; ours keeps Πμ in float32
    "radam": (0.01, {}, "radam", coupled(optax.radam), 1e-6),  # ε is added before the correction in PyTorch
    "lamb": (
        0.01,
        {"eps": 1e-6},
        "lamb",
        lambda lr, decay: optax.lamb(lr, eps=1e-6, weight_decay=decay),
        1e-12,
    ),
    "lion": (0.01, {}, "lion", lambda lr, decay: optax.lion(lr, weight_decay=decay), 1e-12),
    "novograd": (
        0.01,
        {},
        "novograd",
        lambda lr, decay: optax.novograd(lr, 0.95, 0.98, eps=1e-8, weight_decay=decay),
        1e-12,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_beside_optax(same, name):
    lr, options, peer, make, tolerance = CASES[name]
    same(name, f"optax.{peer}", ours(name, lr, options), theirs(make, lr), tolerance)


def test_rprop(same):
    weights, path = start(), []
    sizes = {key: np.full(shape, 0.01 * SETTINGS[key in GROUPS[1]][0]) for key, shape in SHAPES.items()}
    before = {key: np.zeros(shape) for key, shape in SHAPES.items()}
    for step in range(STEPS):
        for key in SHAPES:
            slope = gradient(weights[key], step)
            agree = slope * before[key]
            factor = np.select([agree > 0, agree < 0], [1.2, 0.5], 1.0)
            sizes[key] = np.clip(sizes[key] * factor, 1e-6, 50.0)
            before[key] = np.where(agree < 0, 0.0, slope)
            weights[key] = weights[key] - sizes[key] * np.sign(before[key])
        path.append(np.concatenate([weights[key].ravel() for key in SHAPES]))
    paper = "formula (Riedmiller and Braun 1993, without a step back)"
    same("rprop", paper, ours("rprop", 0.01, {}, decays=False), np.stack(path), 1e-12)
    peer = optax.rprop(0.01)
    first, _ = peer.update(jnp.ones(3), peer.init(jnp.zeros(3)))
    assert not first.any(), "optax.rprop no longer moves one step late: compare with it"


def test_amsgrad(same):
    """By the formula: neither optax nor the paper corrects the moments as PyTorch does."""
    weights, states = start(), {key: [0.0, 0.0, 0.0] for key in SHAPES}
    path = []
    for step in range(STEPS):
        for key in SHAPES:
            share, decay = SETTINGS[key in GROUPS[1]]
            m, v, top = states[key]
            slope = gradient(weights[key], step) + decay * weights[key]
            m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
            top = np.maximum(top, v)
            states[key] = [m, v, top]
            root = np.sqrt(top / (1 - 0.999 ** (step + 1))) + 1e-8
            weights[key] = weights[key] - 0.01 * share * m / (1 - 0.9 ** (step + 1)) / root
        path.append(np.concatenate([weights[key].ravel() for key in SHAPES]))
    same(
        "amsgrad",
        "formula (arXiv:1904.09237, moments corrected)",
        ours("amsgrad", 0.01, {}),
        np.stack(path),
        1e-12,
    )


def sm3_formula(lr, tight=True, momentum=0.0):
    """Both forms, entry by entry, as the paper lists them."""
    weights, path = start(), []
    covers = {key: [np.zeros(n) for n in shape] for key, shape in SHAPES.items()}
    kept = {key: np.zeros(shape) for key, shape in SHAPES.items()}
    for step in range(STEPS):
        for key, shape in SHAPES.items():
            slope, rate = gradient(weights[key], step), lr * SETTINGS[key in GROUPS[1]][0]
            bounds, old = np.zeros(shape), [cover.copy() for cover in covers[key]]
            new = [np.zeros(n) for n in shape] if tight else [cover.copy() for cover in old]
            if not tight:
                for axis, cover in enumerate(new):
                    others = tuple(k for k in range(len(shape)) if k != axis)
                    cover += (slope**2).max(axis=others)
            for place in np.ndindex(shape):
                near = min((old if tight else new)[axis][i] for axis, i in enumerate(place))
                bounds[place] = near + slope[place] ** 2 if tight else near
                for axis, i in enumerate(place) if tight else ():
                    new[axis][i] = max(new[axis][i], bounds[place])
            covers[key] = new
            move = np.divide(slope, np.sqrt(bounds), out=np.zeros(shape), where=bounds > 0)
            kept[key] = momentum * kept[key] + (1 - momentum) * move
            weights[key] = weights[key] - rate * kept[key]
        path.append(np.concatenate([weights[key].ravel() for key in SHAPES]))
    return np.stack(path)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sm3(same, momentum):
    paper = "formula (arXiv:1901.11150, algorithms SM3-I and SM3-II)"
    mine = ours("sm3", 0.1, {"momentum": momentum}, decays=False)
    same("sm3", paper, mine, sm3_formula(0.1, True, momentum), 1e-12)
    loose = ours("sm3_i", 0.1, {"momentum": momentum}, decays=False)
    same("sm3_i", paper, loose, sm3_formula(0.1, False, momentum), 1e-12)
    make = lambda lr, _: optax.chain(optax.scale_by_sm3(momentum, eps=1e-30), optax.scale(-lr))
    same("sm3", "optax.scale_by_sm3", mine, theirs(make, 0.1), 1e-12)


def one(make, steps=STEPS, lr=0.01):
    """The path of a PyTorch peer over all weights as one group."""
    params = {key: torch.nn.Parameter(torch.from_numpy(value)) for key, value in start().items()}
    return trace(make(list(params.values()), lr), params)


def test_sm3_of_pytorch_optimizer(same):
    mine = one(lambda params, lr: create("sm3", params, lr=lr))
    peer = one(lambda params, lr: pytorch_optimizer.SM3(params, lr=lr, momentum=0.0))
    same("sm3", "pytorch_optimizer.SM3", mine, peer, 1e-12)


def test_adafactor(same):
    mine = one(lambda params, lr: create("adafactor", params, lr=lr, weight_decay=0.0))
    peer = one(lambda params, lr: Adafactor(params, lr=None, scale_parameter=True, relative_step=True))
    same("adafactor", "transformers.optimization.Adafactor", mine, peer, 1e-6)


def test_which_lamb_is_right(same):
    """The paper's first step moves each tensor by γ‖w‖; pytorch_optimizer's is longer, so it is no peer."""

    def lengths(make):
        params = [torch.nn.Parameter(torch.from_numpy(value)) for value in start().values()]
        before = [param.detach().clone() for param in params]
        for param in params:
            param.grad = torch.from_numpy(gradient(param.detach().numpy(), 0))
        make(params).step()
        return [float((p.detach() - b).norm() / b.norm()) for p, b in zip(params, before)]

    mine = lengths(lambda params: create("lamb", params, lr=0.01, weight_decay=0.1))
    same("lamb", "formula (arXiv:1904.00962, length of the first step)", mine, [0.01] * 3, 1e-12)
    other = lengths(lambda params: pytorch_optimizer.Lamb(params, lr=0.01, weight_decay=0.1))
    assert max(other) > 0.05, f"pytorch_optimizer.Lamb now moves by {other}: compare with it again"


def test_lars(same):
    """optax keeps the rate inside the momentum too; its ratio is the paper's where nothing decays."""
    mine = one(lambda params, lr: create("lars", params, lr=lr), lr=3.0)
    whole = optax.lars(3.0, trust_coefficient=0.001)
    weights = {key: jnp.asarray(value) for key, value in start().items()}
    state, path = whole.init(weights), []
    for step in range(STEPS):
        slopes = {key: jnp.asarray(gradient(np.asarray(value), step)) for key, value in weights.items()}
        updates, state = whole.update(slopes, state, weights)
        weights = optax.apply_updates(weights, updates)
        path.append(np.concatenate([np.asarray(weights[key]).ravel() for key in SHAPES]))
    same("lars", "optax.lars", mine, np.stack(path), 1e-12)
    weights, moved, path = start(), {key: 0.0 for key in SHAPES}, []
    for step in range(STEPS):
        for key in SHAPES:
            share, decay = SETTINGS[key in GROUPS[1]]
            w, slope = weights[key], gradient(weights[key], step)
            ratio = 0.001 * np.linalg.norm(w) / (np.linalg.norm(slope) + decay * np.linalg.norm(w))
            moved[key] = 0.9 * moved[key] + 3.0 * share * ratio * (slope + decay * w)
            weights[key] = w - moved[key]
        path.append(np.concatenate([weights[key].ravel() for key in SHAPES]))
    paper = "formula (arXiv:1708.03888, algorithm 1)"
    same("lars", paper, ours("lars", 3.0, {}), np.stack(path), 1e-12)


@pytest.mark.parametrize("name", ["adax", "adaxw"])
def test_adax(same, name):
    """By the formula: nobody else has it. The growing sum itself, divided by what it grew by."""
    weights, states, path = start(), {key: [0.0, 0.0] for key in SHAPES}, []
    for step in range(1, STEPS + 1):
        for key in SHAPES:
            share, decay = SETTINGS[key in GROUPS[1]]
            w, rate = weights[key], 0.01 * share
            slope = gradient(w, step - 1) + (decay * w if name == "adax" else 0)
            m, v = states[key]
            m, v = 0.9 * m + 0.1 * slope, (1 + 1e-4) * v + 1e-4 * slope**2
            states[key] = [m, v]
            root = np.sqrt(v / ((1 + 1e-4) ** step - 1)) + 1e-12
            weights[key] = w * (1 - rate * decay * (name == "adaxw")) - rate * m / root
        path.append(np.concatenate([weights[key].ravel() for key in SHAPES]))
    same(name, "formula (arXiv:2004.09740)", ours(name, 0.01, {}), np.stack(path), 1e-9)


def test_amos(same):
    """The scales by shape agree here: of a kernel's inputs pytorch_optimizer counts the channels alone."""
    mine = one(lambda params, lr: create("amos", params, lr=lr), lr=0.1)
    peer = one(lambda params, lr: pytorch_optimizer.Amos(params, lr=lr), lr=0.1)
    same("amos", "pytorch_optimizer.Amos", mine, peer, 1e-12)


def test_lookahead(same):
    mine = one(lambda params, lr: create("lookahead", params, base="sgd(momentum=0.9)", lr=lr))
    sgd = lambda params, lr: torch.optim.SGD(params, lr=lr, momentum=0.9)
    peer = one(lambda params, lr: pytorch_optimizer.Lookahead(sgd(params, lr), k=5, alpha=0.5))
    same("lookahead", "pytorch_optimizer.Lookahead", mine, peer, 1e-12)


def test_agc(same):
    """timm clips in place, whatever group a weight is in."""

    class Clipped(torch.optim.SGD):
        def step(self, closure=None):
            adaptive_clip_grad(self.param_groups[0]["params"], 0.01, eps=1e-3)
            super().step()

    mine = one(lambda params, lr: create("agc", params, base="sgd(momentum=0.9)", lr=lr), lr=1.0)
    peer = one(lambda params, lr: Clipped(params, lr=lr, momentum=0.9), lr=1.0)
    same("agc", "timm.utils.agc", mine, peer, 1e-12)


def test_sam(same):
    """pytorch_optimizer's wants the first gradient before the step, ours calls the closure for it."""

    def path(make, before):
        params = {key: torch.nn.Parameter(torch.from_numpy(value)) for key, value in start().items()}
        optimizer, found = make(list(params.values())), []
        for step in range(STEPS):

            def closure(step=step):
                for param in params.values():
                    param.grad = torch.from_numpy(gradient(param.detach().numpy(), step))
                return torch.zeros(())

            if before:
                closure()
            optimizer.step(closure)
            found.append(np.concatenate([param.detach().numpy().ravel() for param in params.values()]))
        return np.stack(found)

    mine = path(lambda params: create("sam", params, base="sgd(momentum=0.9)", lr=0.01, rho=0.1), False)
    sgd = {"lr": 0.01, "momentum": 0.9}
    peer = path(
        lambda params: pytorch_optimizer.SAM(params, torch.optim.SGD, rho=0.1, perturb_eps=0.0, **sgd), True
    )
    same("sam", "pytorch_optimizer.SAM", mine, peer, 1e-7)  # theirs adds up the norm in single precision


def test_averages(same):
    """Of equal and of fading weights, beside their closed forms."""
    snapshots = [value for value in np.random.default_rng(0).normal(size=(6, 4, 3))]
    net = torch.nn.Linear(3, 4, bias=False, dtype=torch.double)
    average = get("swa")(net)
    for snapshot in snapshots:
        net.weight.data.copy_(torch.from_numpy(snapshot))
        average.update_parameters(net)
    same("swa", "formula (arXiv:1803.05407, the mean)", average.module.weight, np.mean(snapshots, 0), 1e-12)
    mean, move = torch.from_numpy(snapshots[0].copy()), get("ema_weights")(0.9)
    for step, snapshot in enumerate(snapshots[1:]):
        move([mean], [torch.from_numpy(snapshot)], step)
    shares = [0.9**5, *(0.1 * 0.9**k for k in (4, 3, 2, 1, 0))]
    expected = sum(share * snapshot for share, snapshot in zip(shares, snapshots))
    same("ema_weights", "formula (an exponential mean)", mean, expected, 1e-12)
