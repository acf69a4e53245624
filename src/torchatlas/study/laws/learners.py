"""Laws of learners: of those that have a card, and of the default learner of every GAN loss pair."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import create, get
from ...data.spec import Spec
from ...engine.learner import Batch, Learner
from ...generative.adversarial.gan import GAN
from .law import Check, draw, must

CLASSES = ("a", "b", "c")
SPECS = (
    Spec("table", (5,), "classification", 3, CLASSES, (4, 4, 4)),
    Spec("image", (1, 8, 8), "classification", 3, CLASSES, (4, 4, 4)),
)
ROWS = 12


def learners(card: Card, seed: int = 0) -> Iterator[tuple[Learner, Spec]]:
    """The card's learner for a small table and for small images."""
    for spec in SPECS:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            if card.kind == "gan_loss":
                yield GAN.for_data(spec, pair=create(card.name), code=4, hidden=(16,)), spec
            else:
                yield get(card.name).for_data(spec, **card.tiny), spec


def example(learner: Learner, spec: Spec, seed: int = 0) -> Batch:
    """A batch in the scaling that the learner wants."""
    x = draw(ROWS, *spec.shape, seed=seed)
    if spec.modality == "image" and learner.scaling != "standard":
        x = x.sigmoid() if learner.scaling == "unit" else x.tanh()
    return (x, torch.arange(ROWS) % spec.outputs) if learner.needs_target else (x,)


def _scalar(loss: Tensor | tuple[Tensor, dict[str, Tensor]]) -> Tensor:
    return loss[0] if isinstance(loss, tuple) else loss


def players_move_only_their_own(card: Card) -> None:
    """In each player's turn a finite loss reaches all of its parameters and nobody else's."""
    for learner, spec in learners(card):
        owners = [p for player in learner.players for p in learner.owned(player)]
        must(len(owners) == len(list(learner.parameters())), f"{card.name}: a parameter has no owner, or two")
        for player in learner.turns(0):
            learner.requires_grad_(False)
            own = learner.owned(player)
            for parameter in own:
                parameter.requires_grad_()
            loss = _scalar(learner.loss(player, example(learner, spec)))
            must(loss.ndim == 0 and bool(torch.isfinite(loss)), f"{card.name}: {player}'s loss is {loss}")
            before = [p.detach().clone() for p in learner.parameters()]
            learner.zero_grad()
            loss.backward()
            torch.optim.SGD(own, lr=0.01).step()
            moved = {id(p) for p, b in zip(learner.parameters(), before) if not torch.equal(p, b)}
            must(moved <= {id(p) for p in own}, f"{card.name}: {player}'s turn moves another's parameters")
            must(len(moved) == len(own), f"{card.name}: {player}'s turn leaves some parameters alone")


def scores_are_per_sample(card: Card) -> None:
    """Each score has one finite number per sample, and the monitored one is among them."""
    for learner, spec in learners(card):
        with torch.no_grad():
            scores = learner.eval().scores(example(learner, spec))
        for name, score in scores.items():
            must(score.shape == (ROWS,), f"{card.name}: score {name} has shape {tuple(score.shape)}")
            must(bool(torch.isfinite(score).all()), f"{card.name}: score {name} is not finite")
        must(learner.monitor in ("", *scores), f"{card.name} does not score {learner.monitor!r}, its monitor")


def outputs_have_the_data_s_shape(card: Card) -> None:
    """Predictions have one row per sample; new data has the data's shape and scaling."""
    for learner, spec in learners(card):
        batch = example(learner.eval(), spec)
        if type(learner).predict is not Learner.predict:
            must(len(learner.predict(batch[0])) == ROWS, f"{card.name}.predict loses the batch")
        if type(learner).sample is not Learner.sample:
            new = learner.sample(3)
            must(new.shape == (3, *spec.shape), f"{card.name} samples {tuple(new.shape)}")
            if spec.modality == "image" and learner.scaling != "standard":
                low = 0 if learner.scaling == "unit" else -1
                must(bool(((new >= low) & (new <= 1)).all()), f"{card.name} samples below {low} or above 1")


def state_is_parameters_and_buffers(card: Card) -> None:
    """A fresh learner with the state of a first one has exactly its losses, given the same noise."""
    for (learner, spec), (other, _) in zip(learners(card), learners(card, seed=1), strict=True):
        other.load_state_dict(learner.state_dict())
        for player in learner.turns(0):
            values = []
            for each in (learner.train(), other.train()):
                with torch.random.fork_rng(devices=[]), torch.no_grad():
                    torch.default_generator.manual_seed(3)
                    values.append(_scalar(each.loss(player, example(each, spec))))
            must(torch.equal(*values), f"{card.name}: {player}'s loss differs after its state is taken over")


LAWS: tuple[Check, ...] = (
    players_move_only_their_own,
    scores_are_per_sample,
    outputs_have_the_data_s_shape,
    state_is_parameters_and_buffers,
)
