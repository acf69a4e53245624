"""Small learners and sources for the engine's tests: every kind of state that a loop must carry."""

from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from torchatlas.engine.checkpoint import Store
from torchatlas.engine.distribution import ALONE
from torchatlas.engine.learner import Learner, batches, mean_scores
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.randomness import generator, reseed
from torchatlas.engine.record import Record

G = torch.Generator().manual_seed(0)
X = torch.randn(200, 20, generator=G)
Y = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()


class Classifier(Learner):
    """Batch statistics and dropout: buffers and noise."""

    def __init__(self):
        super().__init__()
        layers = [nn.Linear(20, 30), nn.BatchNorm1d(30), nn.ReLU(), nn.Dropout(0.2), nn.Linear(30, 3)]
        self.net = nn.Sequential(*layers)

    def loss(self, player, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def scores(self, batch):
        return {"loss": F.cross_entropy(self.net(batch[0]), batch[1], reduction="none")}


class Plain(Learner):
    """Neither batch statistics nor noise: the loss is a mean over samples."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 3))

    def loss(self, player, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def scores(self, batch):
        return {"loss": F.cross_entropy(self.net(batch[0]), batch[1], reduction="none")}


class Duel(Learner):
    """Two players, two critic turns a step, a buffer that `updated` moves."""

    players: ClassVar = {"critic": ("critic",), "generator": ("generator",)}
    monitor = ""

    def __init__(self):
        super().__init__()
        self.critic, self.generator = nn.Linear(20, 1), nn.Linear(4, 20)
        self.register_buffer("count", torch.zeros(()))

    def turns(self, step):
        return ("critic", "critic", "generator")

    def loss(self, player, batch):
        fake = self.generator(torch.randn(len(batch[0]), 4))
        if player == "generator":
            return F.softplus(-self.critic(fake)).mean()
        loss = (F.softplus(-self.critic(batch[0])) + F.softplus(self.critic(fake))).mean()
        return loss, {"margin": (self.critic(batch[0]).mean() - self.critic(fake).mean()).detach()}

    def updated(self, player, step):
        self.count += 1


class Table:
    """A source over resident tensors."""

    draws = False

    def __init__(self, *tensors, size=32):
        self.tensors, self.size = tensors, size
        self.steps_per_epoch = -(-len(tensors[0]) // size)

    def batch(self, step, turn, learner):
        epoch, i = divmod(step, self.steps_per_epoch)
        order = torch.randperm(len(self.tensors[0]), generator=generator(0, epoch))
        rows = order[i * self.size : (i + 1) * self.size]
        return tuple(t[rows] for t in self.tensors)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def make_loop(
    folder: Path | None = None,
    kind=Classifier,
    lr=1e-2,
    optimizer=torch.optim.Adam,
    group=ALONE,
    prepare=lambda learner: None,
    **plan,
) -> Loop:
    """A loop at step 0; the same arguments make the same loop."""
    reseed("cpu", "init")
    learner = kind()
    prepare(learner)
    optimizers = {p: optimizer(learner.owned(p), lr=lr) for p in learner.players}
    schedules = {p: torch.optim.lr_scheduler.CosineAnnealingLR(o, 100) for p, o in optimizers.items()}
    kept = {}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "store": Store(folder / "checkpoints"),
            "record": Record(folder / "record.jsonl"),
            "failures": folder / "failures",
        }
    return Loop(
        learner,
        Table(X, Y),
        optimizers,
        Plan(**{"steps": 60, "log_every": 5, **plan}),
        schedules=schedules,
        validate=(
            lambda learner: mean_scores(learner, batches((X, Y), 8), (plan.get("seed", 0), "valid"), group)
        )
        if learner.monitor
        else None,
        group=group,
        **kept,
    )


def same_weights(a, b) -> bool:
    """Whether two modules hold the same bits."""
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)
