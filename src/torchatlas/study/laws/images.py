"""Laws of networks of stages: their parts fit together, and how they are computed changes nothing."""

import copy
import inspect

import torch
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import create, get
from ...networks.image import AbstractImageNetwork, AbstractStagedNetwork, FeatureMaps
from .law import Check, close, draw, must
from .networks import PUBLISHED, build, example, input_shape


def laws_of(card: Card) -> tuple[Check, ...]:
    """Those that a network keeps besides every network's: by whether it has stages, and gives maps."""
    thing = get(card.name)
    thing = getattr(thing, "func", thing)  # a variant is a partial
    if not (isinstance(thing, type) and issubclass(thing, AbstractStagedNetwork)):
        return ()
    return LAWS if issubclass(thing, AbstractImageNetwork) else STAGED


def parts_fit_together(card: Card) -> None:
    """Features are the neck's, logits the head's; without classes the features come out, a new head fits."""
    net, x = build(card).eval(), example(card, 3)
    features = net.forward_features(x)
    must(
        (len(features), features.shape[-1]) == (3, net.features),
        f"{card.name}'s features are {tuple(features.shape)}",
    )
    close(net.neck(net.stages(net.stem(x))), features, 1e-5, f"{card.name}'s neck after its last stage")
    close(net.head(features), net(x), 1e-5, f"{card.name}'s head after its features")
    bare = build(card, num_classes=0).eval()
    must(bare(x).shape == features.shape, f"{card.name} without classes gives {tuple(bare(x).shape)}")
    must(net.reset_head(5)(x).shape == (3, 5), f"{card.name} with a new head of 5 classes")


def maps_are_as_told(card: Card) -> None:
    """The maps have the channels and strides that `FeatureMaps` tells, from fine to coarse."""
    net, (_, height, width) = build(card).eval(), input_shape(card)
    maps = FeatureMaps(net)
    strides = FeatureMaps(net, range(len(net.stages))).strides
    must(list(strides) == sorted(strides), f"{card.name}'s stages have the strides {strides}")
    for stride, count, found in zip(maps.strides, maps.channels, maps(example(card, 2)), strict=True):
        must(found.shape[:2] == (2, count), f"{card.name}: {tuple(found.shape)} for {count} channels")
        for size, side in zip((height, width), found.shape[2:], strict=True):
            must(abs(side - size / stride) < 3, f"{card.name}: {side} pixels of {size} at stride {stride}")


def full_size_runs(card: Card) -> None:
    """As it is published, without an option, it makes finite logits of two images."""
    signature = inspect.signature(get(card.name)).parameters
    known = {word: p.default for word, p in signature.items()}
    x = draw(2, known["in_channels"], *(known.get("input_size") or PUBLISHED))
    with torch.no_grad():
        logits = create(card.name).eval()(x)
    must(logits.shape == (2, known["num_classes"]), f"{card.name} makes {tuple(logits.shape)}")
    must(bool(logits.isfinite().all()), f"{card.name} makes logits that are not finite")


def memory_layout_changes_nothing(card: Card) -> None:
    """Channels last in memory give the same."""
    net, x = build(card).eval(), example(card, 3)
    expected = net(x)
    net = net.to(memory_format=torch.channels_last)
    close(net(x.to(memory_format=torch.channels_last)), expected, 1e-5, f"{card.name} with channels last")


def half_precision_is_near(card: Card) -> None:
    """In bfloat16 logits are those of single precision to a tenth of the largest."""
    net, x = build(card).eval(), example(card, 3)
    with torch.no_grad():
        expected = net(x)
        got = net.bfloat16()(x.bfloat16())
    must(got.dtype == torch.bfloat16, f"{card.name} in bfloat16 gives {got.dtype}")
    scale = expected.abs().amax()
    close(got.float() / scale, expected / scale, 0.1, f"{card.name} in bfloat16")


def recomputing_changes_nothing(card: Card) -> None:
    """Blocks computed again on the way back give the same gradients, and move no statistics twice."""
    x = example(card, 4).double()
    results = []
    for again in (False, True):
        net = build(card).double().train().set_grad_checkpointing(again)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(3)
            net(x).square().sum().backward()
        results.append([*(p.grad for p in net.parameters()), *net.buffers()])
    for got, expected in zip(results[1], results[0], strict=True):
        close(got, expected, 1e-6, f"{card.name} with gradient checkpointing")


def frozen_parts_stay(card: Card) -> None:
    """A step of training leaves what is frozen as it was, its statistics too, and moves the rest."""
    net = build(card).train().freeze(until="stage1")
    before = copy.deepcopy(net.state_dict())
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)
    net(example(card, 8)).square().sum().backward()
    optimizer.step()
    after = net.state_dict()

    def moved(part: str) -> bool:
        names = [name for name in before if f"{name}.".startswith(part)]
        return any(not torch.equal(before[name], after[name]) for name in names)

    must(not (moved("stem.") or moved("stages.0.")), f"{card.name}'s frozen parts moved")
    must(moved("head.") or not _has_weights(net.head), f"{card.name}'s head did not move")


def _has_weights(module: torch.nn.Module) -> bool:
    weights: list[Tensor] = list(module.parameters())
    return bool(weights)


STAGED: tuple[Check, ...] = (
    full_size_runs,
    parts_fit_together,
    memory_layout_changes_nothing,
    half_precision_is_near,
    recomputing_changes_nothing,
    frozen_parts_stay,
)
LAWS: tuple[Check, ...] = (*STAGED, maps_are_as_told)
