"""From a recipe and prepared data to a learner and optimizers: how each kind becomes something to train."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ...cards.card import Card
from ...cards.reader import catalog, create, find, get
from ...data.preparation import Preparation
from ...data.spec import Part, Spec
from ...engine.errors import UsageError
from ...engine.learner import Learner
from ...engine.loop import ENDLESS
from ...generative.adversarial.gan import GAN
from ...generative.autoregressive.language_model import LanguageModel
from ...learning.metric.embedding import WIDTH, Embedding
from ...learning.supervised.supervised import Supervised, output_loss
from ...losses.metric.embedding import AbstractEmbeddingLoss
from ...networks.fitting import from_data
from .by_part import freeze, rate_groups
from .faults import told
from .recipe import Recipe
from .regularizing import penalty_of
from .trial import give_sizes
from .words import choice, part, teacher_of

DEFAULT_NETWORK = "mlp"
PARTS = ("activation", "optimizer", "loss", "schedule", "sampler")  # trained in the default network
TASKS = ("classification", "regression", "multilabel")  # those that a loss's topics name
TRAINED = ("network", "learner", "gan_loss", "estimator")


def is_classical(card: Card) -> bool:
    """Whether a card is a scikit-learn estimator, which is fitted, not trained in turns."""
    return card.kind == "estimator"


def thing_of(card: Card, method: Any = None) -> Any:
    """The class or function itself; a user's own is imported, or given as an object."""
    if method is not None and not isinstance(method, str):
        return method
    return get(card.name)


def factory(card: Card, method: Any = None) -> Callable[..., Any]:
    """The callable whose signature names the method's options."""
    if card.kind in PARTS:
        return get(DEFAULT_NETWORK)
    if card.kind not in (*TRAINED, "own"):
        raise UsageError(
            f"{card.name} ({card.kind}) cannot be trained by itself; train a method that uses it"
        )
    thing = thing_of(card, method)
    if card.kind == "gan_loss":
        return GAN.for_data
    if inspect.isclass(thing) and issubclass(thing, Learner):
        return thing.for_data
    if is_classical(card) or callable(thing):
        return thing
    raise UsageError(f"{card.where} is a {type(thing).__name__}, neither a class nor a function")


def build(recipe: Recipe, spec: Spec, method: Any = None) -> Learner:
    """The learner of a recipe for data of this spec: the method itself, or wrapped as its kind says.

    A network goes into `Supervised`, or with a loss over embeddings into `Embedding`; a GAN loss pair into
    `GAN`; a part (activation, loss, optimizer, schedule, sampler) into the default network.
    Raises UsageError where the method does not fit the data.
    """
    card = find(recipe.method) if method is None else Card(recipe.method, "", "own", recipe.method)
    options = {key: part(value) for key, value in recipe.options.items()}
    said = ", ".join(f"{key}={value}" for key, value in recipe.options.items())
    with told(f"{recipe.method} cannot be built for this data{f' with {said}' if said else ''}"):
        learner = _build(card, spec, options, recipe.loss, method)
    if learner.needs_target and spec.task == "none":
        raise UsageError(
            f"{recipe.method} learns from a target and this data has none; say which with --target"
        )
    if recipe.penalty is not None:
        if not isinstance(learner, Supervised):
            raise UsageError(f"{recipe.method} has a loss of its own, so it takes no penalty: leave it out")
        learner.penalty = penalty_of(recipe.penalty)
    give_sizes(learner, spec)
    if recipe.freeze is not None:
        freeze(learner, recipe.freeze)
    return learner


def _build(card: Card, spec: Spec, options: dict[str, Any], loss: str | None, method: Any) -> Learner:
    if card.kind == "gan_loss":
        return GAN.for_data(spec, pair=create(card.name), **options)
    if card.kind in PARTS:
        if card.kind == "activation":
            options = {"activation": card.name, **options}
        loss = card.name if card.kind == "loss" else loss
        card = find(DEFAULT_NETWORK)
    thing = thing_of(card, method)
    if inspect.isclass(thing) and issubclass(thing, Learner):
        return thing.for_data(spec, **options)
    if isinstance(thing, nn.Module) and not isinstance(thing, type):
        raise UsageError(
            "give the class of your network (or a function that makes one), not a module already made"
        )
    criterion = _loss(loss, spec)
    words = from_data(thing, spec, getattr(criterion, "outputs", None))
    if isinstance(criterion, AbstractEmbeddingLoss):
        words = {word: WIDTH if word == "num_classes" else value for word, value in words.items()}
    network = thing(**{**words, **options})
    if isinstance(network, Learner):
        return network
    if not isinstance(network, nn.Module):
        raise UsageError(f"{card.name} made a {type(network).__name__}, not an nn.Module")
    if spec.task == "language":
        if criterion is not None:
            raise UsageError(
                "a language model's loss is the cross entropy of the next character: leave loss out"
            )
        return LanguageModel.for_data(spec, network)
    if spec.task == "control":
        raise UsageError(f"{card.name} does not act, and this data is an environment: take an agent (dqn)")
    if isinstance(criterion, AbstractEmbeddingLoss):
        return Embedding.for_data(spec, network, loss=criterion)
    return Supervised.for_data(spec, network=network, loss=criterion)


def _loss(text: str | None, spec: Spec) -> nn.Module | None:
    if text is None:
        return None
    name, options = choice(text)
    topics = find(name).topics
    if topics and spec.task in TASKS and spec.task not in topics:
        fitting = [c for c in catalog().values() if c.kind == "loss" and spec.task in c.topics]
        plain = [c.name for c in fitting if c.where.startswith("torch.nn:")]
        usual = type(output_loss(spec.task)).__name__
        more = f" (torchatlas list --kind loss --topic {spec.task})" * (len(fitting) > len(plain))
        cure = f"take {' or '.join(plain)}{more}, or leave it out" if plain else "leave it out"
        what = f"{name} is no loss for {spec.task} (it is for {' and '.join(topics)})"
        raise UsageError(f"{what}: {cure} for PyTorch's {usual}")
    loss = create(name, **{**_of_classes(get(name), spec), **options})
    if not isinstance(loss, nn.Module):
        raise UsageError(f"{name} is no loss of the form (prediction, target)")
    return loss


def _of_classes(loss: Callable[..., Any], spec: Spec) -> dict[str, Any]:
    """The words of a loss that the data answers: its number of classes, and how many rows train each."""
    known = {"num_classes": spec.outputs, "class_counts": spec.counts}
    words = inspect.signature(loss).parameters
    if "class_counts" in words and not spec.counts:
        raise UsageError("it weighs classes by their rows, and this data has no classes")
    return {word: value for word, value in known.items() if word in words}


def wanted_size(card: Card, options: Mapping[str, Any], method: Any = None) -> tuple[int, int] | None:
    """The image size that a network asks for: its `input_size` option, or that option's default."""
    size = options.get("input_size")
    if size is None and (teacher := teacher_of(options)):
        size = Preparation.load(teacher / "preparation").spec.shape[1:]  # a student sees what it saw
    if size is None:
        word = inspect.signature(factory(card, method)).parameters.get("input_size")
        size = None if word is None or word.default is word.empty else word.default
    if isinstance(size, int):
        return (size, size)
    return tuple(size) if size is not None else None


def wanted_context(card: Card, options: Mapping[str, Any], method: Any = None) -> int | None:
    """How many characters a language model reads at once: its `context` option, or that option's default."""
    word = None if is_classical(card) else inspect.signature(factory(card, method)).parameters.get("context")
    if word is None:
        return None
    default = None if word.default is word.empty else word.default
    context = options.get("context", default)
    if not isinstance(context, int) or context < 1:
        raise UsageError(f"context={context!r} must be a number of characters, such as 128")
    return context


def wanted_scaling(card: Card, method: Any = None) -> str:
    """What images the method's learner wants."""
    if card.kind == "gan_loss":
        return GAN.scaling
    if card.kind in PARTS:
        return Supervised.scaling
    thing = thing_of(card, method)
    if inspect.isclass(thing) and issubclass(thing, Learner):
        return thing.scaling
    return Supervised.scaling


def draws_its_own(card: Card, method: Any = None) -> bool:
    """Whether the method has a source of its own, such as episodes or an environment."""
    thing = None if card.kind in (*PARTS, "gan_loss") else thing_of(card, method)
    return inspect.isclass(thing) and issubclass(thing, Learner) and thing.source is not Learner.source


def learns_from_target(card: Card, method: Any = None) -> bool:
    """Whether the method needs a target: generative learners do not."""
    if card.kind == "gan_loss":
        return GAN.needs_target
    thing = None if card.kind in PARTS else thing_of(card, method)
    return thing.needs_target if inspect.isclass(thing) and issubclass(thing, Learner) else True


def make_optimizers(
    recipe: Recipe, learner: Learner, card: Card, fused: bool | None = None
) -> dict[str, Optimizer]:
    """One optimizer per player; fused (unless told otherwise) where PyTorch has that for the device."""
    name, options = choice(card.name if card.kind == "optimizer" else recipe.optimizer)
    chosen = find(name)
    options = {**_without_budget(chosen.recipe), **options, **recipe.optimizer_options}
    if recipe.lr is not None:
        options["lr"] = recipe.lr
    maker = get(name) if chosen.kind != "own" else thing_of(chosen)
    if "fused" in inspect.signature(maker).parameters:
        options.setdefault("fused", fused is not False)
    made = {}
    for player in learner.players:
        if not learner.owned(player):
            raise UsageError(f"{recipe.method}: its player {player!r} has no parameters to train")
        groups = rate_groups(learner, player, recipe.layer_decay)
        made[player] = _make_optimizer(maker, [owned for _, owned in groups], name, options)
        for (share, _), group in zip(groups, made[player].param_groups):
            if share != 1 and "lr" not in group:
                raise UsageError(f"{name} has no rate, so it takes no layer_decay: leave it out")
            group.update({"lr": share * group["lr"]} if share != 1 else {})
    return made


def _make_optimizer(
    maker: Callable[..., Any], groups: list[list[nn.Parameter]], name: str, options: dict[str, Any]
) -> Any:
    def made(**words: Any) -> Any:  # an optimizer writes into its groups, so each has its own
        return maker(groups[0] if len(groups) == 1 else [{"params": owned} for owned in groups], **words)

    try:
        return made(**options)
    except RuntimeError:  # "fused" is not there for every dtype and device
        return made(**{k: v for k, v in options.items() if k != "fused"})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} does not take these options: {error}") from error


def _without_budget(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {
        k.removeprefix("optimizer."): v
        for k, v in recipe.items()
        if k not in ("epochs", "steps", "batch_size")
    }


def make_sampler(recipe: Recipe, card: Card, part: Part) -> Any:
    """The sampler of the training rows; None for each row once an epoch."""
    text = card.name if card.kind == "sampler" else recipe.sampler
    if text is None:
        return None
    name, options = choice(text)
    if part.y is None or part.y.ndim != 1 or part.y.is_floating_point():
        raise UsageError(f"{name} draws by class, and this data has no classes: leave it out")
    return create(name, part.y, **{"seed": recipe.seed, **options})


LENGTHS = ("T_max", "total_steps", "total_iters")  # how schedules call the number of steps they cover
HALF = "step_size_up"  # how cyclic ones call half a cycle; where it is not said, a run has CYCLES of them
CYCLES = 3
FROM_RATE = {"base_lr": 0.1, "max_lr": 1.0}  # rates that are said by none: shares of the optimizer's own
RATES = (*FROM_RATE, "swa_lr")  # words of schedules that are rates themselves, and follow the layer decay


def stretched(text: str) -> bool:
    """Whether a schedule takes its length from the run."""
    name, options = choice(text)
    words = inspect.signature(get(name)).parameters
    return any(word in words and word not in options for word in (*LENGTHS, HALF))


def make_schedules(
    recipe: Recipe, optimizers: dict[str, Optimizer], steps: int, card: Card
) -> dict[str, LRScheduler]:
    """One schedule per player, stretched over the run where its length was not said.

    Rates that a schedule must be told and nobody said are shares of its optimizer's own (`FROM_RATE`).
    """
    text = card.name if card.kind == "schedule" else recipe.schedule
    if text is None:
        return {}
    name, options = choice(text)
    words = inspect.signature(get(name)).parameters
    for word in LENGTHS:
        if word in words and word not in options:
            options[word] = steps
    if HALF in words and steps < ENDLESS:
        options.setdefault(HALF, max(1, steps // (2 * CYCLES)))
    made = {}
    for player, optimizer in optimizers.items():
        own = [float(group["lr"]) for group in optimizer.param_groups]
        said = {word: share * own[0] for word, share in FROM_RATE.items() if _needs(words, word)} | options
        if len(own) > 1:
            numbers = {word: said[word] for word in RATES if isinstance(said.get(word), int | float)}
            said |= {word: [rate * lr / own[0] for lr in own] for word, rate in numbers.items()}
        with told(f"{name} does not take these options"):
            made[player] = get(name)(optimizer, **said)
    return made


def _needs(words: Mapping[str, inspect.Parameter], word: str) -> bool:
    return word in words and words[word].default is inspect.Parameter.empty


def parameters_of(learner: Learner) -> int:
    """The number of trainable values."""
    return sum(p.numel() for p in learner.parameters())


def on_meta(recipe: Recipe, spec: Spec, method: Any = None) -> Learner:
    """The same learner without memory, for counts."""
    with torch.device("meta"):
        return build(recipe, spec, method)
