"""Laws of learners: of those that have a card, and of the default learner of every GAN loss pair."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import create, get
from ...data.prepared import Prepared, prepare
from ...data.spec import Dataset, Modality, Spec
from ...engine.errors import UsageError
from ...engine.gradient import Turn
from ...engine.learner import Batch, Learner
from ...generative.adversarial.gan import GAN
from . import agents
from .law import Check, close, must

MODALITIES: tuple[Modality, ...] = ("table", "image")
ROWS = 12
LABELS = 18  # training rows that show their targets; the others are unlabelled
STEPS, PER_EPOCH = 12, 2  # the plan that learners are told of
REACH, SPACING = 5.0, 0.1  # of the grid on which densities are summed up


@cache
def data(modality: Modality, scaling: str) -> Prepared:
    """A small set of three classes, prepared as for training."""
    draw = np.random.default_rng(0)
    count = 4 * ROWS
    inputs: Any = pd.DataFrame(draw.normal(size=(count, 5)), columns=list("abcde"))
    if modality == "image":
        inputs = draw.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    target = np.arange(count) % 3
    made = Dataset("small", modality, inputs, target, "classification", classes=("a", "b", "c"))
    return prepare(made, seed=0, scaling=scaling, test=0.25, valid=0.25, labels=LABELS)


def make(card: Card, spec: Spec, seed: int = 0) -> Learner:
    """The card's learner for data of this spec, its weights drawn from a seed, told of a plan."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if card.kind == "gan_loss":
            learner: Learner = GAN.for_data(spec, pair=create(card.name), code=4, hidden=(16,))
        else:
            learner = get(card.name).for_data(spec, **card.tiny)
    learner.planned(STEPS, PER_EPOCH)
    return learner


def learners(card: Card, seed: int = 0) -> Iterator[tuple[Learner, Prepared]]:
    """The card's learner for a small table and for small images, those of them that it takes."""
    if card.family == "learning/reinforcement":
        yield agents.agent(card, seed), agents.corridor()
        return
    scaling = GAN.scaling if card.kind == "gan_loss" else get(card.name).scaling
    refused = []
    for modality in MODALITIES:
        try:
            yield make(card, data(modality, scaling).spec, seed), data(modality, scaling)
        except UsageError as error:
            refused.append(str(error))
    must(len(refused) < len(MODALITIES), f"{card.name} takes neither tables nor images: {refused}")


def example(learner: Learner, prepared: Prepared) -> Batch:
    """A batch for training, from the learner's own source where it has one."""
    source = learner.source(prepared, ROWS, 0, "cpu")
    if source is not None:
        return source.batch(0, 0, learner)
    parts = prepared.train.tensors() if learner.needs_target else (prepared.train.x,)
    return tuple(part[:ROWS] for part in parts)


def stages(learner: Learner) -> Sequence[str]:
    """Every player whose turn comes in the plan, in the order in which it first comes."""
    return list(dict.fromkeys(player for step in range(STEPS) for player in learner.turns(step)))


def _scalar(loss: Tensor | tuple[Tensor, dict[str, Tensor]]) -> Tensor:
    return loss[0] if isinstance(loss, tuple) else loss


def _noisy(learner: Learner, player: str, batch: Batch, seed: int = 3) -> Tensor:
    """The player's loss with noise from a seed."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        return _scalar(learner.loss(player, batch))


def _scored(learner: Learner, trial: Batch, seed: int = 3) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        return learner.eval().scores(trial)


def players_move_only_their_own(card: Card) -> None:
    """In each player's turn a finite loss reaches all of its parameters and nobody else's."""
    for learner, prepared in learners(card):
        owners = {id(p) for player in learner.players for p in learner.owned(player)}
        must(len(owners) == len(list(learner.parameters())), f"{card.name}: a parameter has no owner")
        must(set(stages(learner)) == set(learner.players), f"{card.name}: a player's turn never comes")
        for step in range(STEPS):
            taking = [p for player in learner.turns(step) for p in learner.owned(player)]
            must(len(set(taking)) == len(taking), f"{card.name}: a parameter has two owners in step {step}")
        for player in stages(learner):
            _move_only_own(learner, player, example(learner, prepared), card.name)


def _move_only_own(learner: Learner, player: str, batch: Batch, name: str) -> None:
    learner.requires_grad_(False)
    own = learner.owned(player)
    for parameter in own:
        parameter.requires_grad_()
    loss = _scalar(learner.loss(player, batch))
    must(loss.ndim == 0 and bool(torch.isfinite(loss)), f"{name}: {player}'s loss is {loss}")
    before = [p.detach().clone() for p in learner.parameters()]
    learner.zero_grad()
    loss.backward()
    torch.optim.SGD(own, lr=0.01).step()
    moved = {id(p) for p, b in zip(learner.parameters(), before) if not torch.equal(p, b)}
    must(moved <= {id(p) for p in own}, f"{name}: {player}'s turn moves another's parameters")
    if not all(_reached(p) for p in own):  # gradients may cancel near the start, as those of two hinges do
        far = tuple(10 * part if part.is_floating_point() else part for part in batch)
        _scalar(learner.loss(player, far)).backward()
    must(all(_reached(p) for p in own), f"{name}: {player}'s turn leaves some parameters alone")


def _reached(parameter: torch.nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())


def a_turn_can_be_taken_again(card: Card) -> None:
    """Asked twice with the same noise, a player's loss is the same: only a normalisation's averages moved."""
    for learner, prepared in learners(card):
        batch = example(learner, prepared)
        norms = [b for m in learner.modules() if "Norm" in type(m).__name__ for b in m.buffers()]
        for player in stages(learner):
            safe = [buffer.clone() for buffer in norms]
            first = _noisy(learner.train(), player, batch)
            _set_back(norms, safe)
            second = _noisy(learner, player, batch)
            must(torch.equal(first, second), f"{card.name}: {player}'s loss moves what it looks at")


def _set_back(buffers: Sequence[Tensor], safe: Sequence[Tensor]) -> None:
    for buffer, kept in zip(buffers, safe, strict=True):
        buffer.copy_(kept)


def scores_are_per_sample(card: Card) -> None:
    """Each score has one finite number per sample, and the monitored one is among them."""
    for learner, prepared in learners(card):
        trial = next(learner.trials(prepared.train, 0))
        usual = type(learner).trials is Learner.trials
        scores = _scored(learner, trial)
        for name, score in scores.items():
            fits = score.shape == (len(trial[0]),) if usual else score.ndim == 1
            must(fits, f"{card.name}: score {name} has shape {tuple(score.shape)}")
            must(bool(torch.isfinite(score).all()), f"{card.name}: score {name} is not finite")
        must(learner.monitor in ("", *scores), f"{card.name} does not score {learner.monitor!r}, its monitor")


def scores_stand_alone(card: Card) -> None:
    """Scores that draw no noise are those of the samples one by one."""
    for learner, prepared in learners(card):
        if type(learner).trials is not Learner.trials:
            continue
        trial = next(learner.trials(prepared.train, 0))
        scores, others = (_scored(learner, trial, seed) for seed in (3, 4))
        each = [_scored(learner, tuple(part[k : k + 1] for part in trial)) for k in range(3)]
        for name, score in scores.items():
            if torch.equal(score, others[name]):
                close(torch.cat([one[name] for one in each]), score[:3], 1e-4, f"{card.name}: score {name}")


def outputs_have_the_data_s_shape(card: Card) -> None:
    """Predictions have one row per sample; new data has the data's shape and scaling."""
    for learner, prepared in learners(card):
        learner.eval()
        batch, spec = example(learner, prepared), prepared.spec
        if type(learner).predict is not Learner.predict:
            outputs = learner.predict(batch[0])
            must(len(outputs) == len(batch[0]), f"{card.name}.predict loses the batch")
            sums = outputs.sum(1)
            must(bool(((sums - 1).abs() < 1e-5).all()), f"{card.name} predicts no probabilities of classes")
        if type(learner).sample is not Learner.sample:
            new = learner.sample(3)
            must(new.shape == (3, *spec.shape), f"{card.name} samples {tuple(new.shape)}")
            if spec.modality == "image" and learner.scaling != "standard":
                low = 0 if learner.scaling == "unit" else -1
                must(bool(((new >= low) & (new <= 1)).all()), f"{card.name} samples below {low} or above 1")


def state_is_parameters_and_buffers(card: Card) -> None:
    """A fresh learner with the state of a first one has exactly its losses, given the same noise."""
    for (learner, prepared), (other, _) in zip(learners(card), learners(card, seed=1), strict=True):
        batch = example(learner, prepared)
        for player in stages(learner):  # a first turn of each leaves its mark in buffers
            with torch.no_grad():
                learner.train().loss(player, batch)
                learner.updated(player, 0)
        other.load_state_dict(learner.state_dict())
        for player in stages(learner):
            values = [_noisy(each.train(), player, batch) for each in (learner, other)]
            must(torch.equal(*values), f"{card.name}: {player}'s loss differs after its state is taken over")


def double_precision_is_kept(card: Card) -> None:
    """With weights and data in double precision the losses are; without noise they are near to singles."""
    for learner, prepared in learners(card):
        batch = example(learner.eval(), prepared)
        singles = {
            player: [_noisy(learner, player, batch, seed) for seed in (3, 4)] for player in stages(learner)
        }
        wide = tuple(part.double() if part.is_floating_point() else part for part in batch)
        learner.double()
        for player, (single, other) in singles.items():
            loss = _noisy(learner, player, wide)
            must(loss.dtype == torch.double, f"{card.name}: {player}'s loss is {loss.dtype}")
            if torch.equal(single, other):
                close(loss, single, 1e-4, f"{card.name}: {player}'s loss in doubles")


def cut_batches_lose_the_same(card: Card) -> None:
    """Where a learner says that its batches may be cut, the parts' losses add up to the whole's.

    In training and in evaluation mode; a loss that draws noise is left out.
    """
    for learner, prepared in learners(card):
        batch = example(learner.double(), prepared)
        batch = tuple(part.double() if part.is_floating_point() else part for part in batch)
        if learner.indivisible() or not learner.cuttable:
            continue
        parts = list(zip(*(tensor.tensor_split(2) for tensor in batch), strict=True))
        safe = [buffer.clone() for buffer in learner.buffers()]

        def loss(player: str, part: Batch, seed: int = 3, learner: Any = learner, safe: Any = safe) -> Any:
            _set_back(list(learner.buffers()), safe)
            return _noisy(learner, player, part, seed)

        for training in (True, False):
            learner.train(training)
            for player in stages(learner):
                whole = loss(player, batch)
                if not torch.equal(whole, loss(player, batch, 4)):
                    continue
                shares = [learner.share(part) / learner.share(batch) for part in parts]
                total = sum(loss(player, part) * share for part, share in zip(parts, shares))
                close(torch.as_tensor(total), whole, 1e-9, f"{card.name}: {player}'s loss of a batch in two")


def compiles(card: Card) -> None:
    """`torch.compile` takes each player's turn and gives the same loss for the same noise."""
    *_, (learner, prepared) = learners(card)
    batch = example(learner.train(), prepared)
    for player in stages(learner):
        torch.compiler.reset()
        turn = torch.compile(Turn(learner, player), backend="aot_eager")
        safe = [buffer.clone() for buffer in learner.buffers()]
        expected = _noisy(learner, player, batch)
        _set_back(list(learner.buffers()), safe)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.default_generator.manual_seed(3)
            close(_scalar(turn(batch)), expected, 1e-5, f"{card.name}: {player}'s turn compiled")


def densities_sum_to_one(card: Card) -> None:
    r"""$\int p(x)\,dx$ over a plane is 1 by `log_prob`; every parameter is random."""
    learner = make(card, Spec("table", (2,), "none", 0, scaling=get(card.name).scaling)).double().eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(5)
        for parameter in learner.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        line = torch.arange(-REACH, REACH, SPACING, dtype=torch.double)
        grid = torch.cartesian_prod(line, line)
        log_prob: Any = learner.log_prob
        total = sum(float(log_prob(part).exp().sum()) for part in grid.split(4096)) * SPACING**2
    must(abs(total - 1) < 0.02, f"{card.name}: its density sums to {total:.4f}, not 1")


LAWS: tuple[Check, ...] = (
    players_move_only_their_own,
    a_turn_can_be_taken_again,
    scores_are_per_sample,
    scores_stand_alone,
    outputs_have_the_data_s_shape,
    state_is_parameters_and_buffers,
    double_precision_is_kept,
    cut_batches_lose_the_same,
    compiles,
)
DENSITY_LAWS: tuple[Check, ...] = (densities_sum_to_one,)


def has_density(card: Card) -> bool:
    """Whether a card's learner says `log_prob`."""
    return hasattr(get(card.name), "log_prob")
