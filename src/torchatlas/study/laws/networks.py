"""Laws of networks, on the card's `tiny` setting."""

import inspect
import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import Card
from ...cards.reader import catalog, create, get
from ...generative.autoregressive.language_model import LanguageModel
from ...learning.supervised.supervised import Supervised
from ..inspecting.export import PACKAGES, exporting, read_onnx, write_onnx
from .law import Check, close, draw, must

FALLBACKS: dict[str, Any] = {"in_features": 12, "num_classes": 3, "in_channels": 1}
PUBLISHED = (224, 224)  # pixels of the images for which a network that takes any size was published
OVERFIT_STEPS = 500


def setting(card: Card) -> dict[str, Any]:
    """The constructor's words for the laws: the card's `tiny`, and small numbers for what it leaves open."""
    signature = inspect.signature(get(card.name)).parameters
    needed = {word for word, p in signature.items() if p.default is p.empty}
    return {word: value for word, value in FALLBACKS.items() if word in needed} | dict(card.tiny)


def build(card: Card, seed: int = 0, **options: Any) -> Any:
    """The network in the laws' setting, its weights drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return create(card.name, **{**setting(card), **options})


def words(card: Card) -> dict[str, Any]:
    """All words of the constructor with their values in the laws' setting."""
    signature = inspect.signature(get(card.name)).parameters
    return {word: p.default for word, p in signature.items()} | setting(card)


def stands_for_itself(card: Card) -> bool:
    """Whether no other card gives the same network in the laws' setting, as sizes of one family do."""
    alike = (other for other in catalog().values() if other.where == card.where)
    return next((other for other in alike if words(other) == words(card)), card).name == card.name


def input_shape(card: Card) -> tuple[int, ...]:
    """The shape of one input that the laws' setting takes."""
    known = words(card)
    if "context" in known:
        return (known["context"],)
    if "in_features" in known:
        return (known["in_features"],)
    return (known.get("in_channels", 1), *(known.get("input_size", (32, 32)) or PUBLISHED))


def reads_text(card: Card) -> bool:
    """Whether the network maps ids of characters to logits of each next one."""
    return "context" in words(card)


def text(card: Card, count: int, seed: int = 0) -> Tensor:
    """Ids (count, context + 1) for the laws' setting; rows begin differently while there are ids for it."""
    known, noise = words(card), torch.Generator().manual_seed(seed)
    ids = torch.randint(known["num_classes"], (count, known["context"] + 1), generator=noise)
    ids[:, 0] = torch.arange(count) % known["num_classes"]
    return ids


def example(card: Card, count: int, seed: int = 0) -> Tensor:
    """Inputs for the laws' setting."""
    if reads_text(card):
        return text(card, count, seed)[:, :-1]
    return draw(count, *input_shape(card), seed=seed)


def task_of(net: nn.Module) -> str:
    """The task a network is for: classification unless it says otherwise."""
    tasks: tuple[str, ...] = getattr(net, "tasks", ("classification",))
    return tasks[0]


def target(card: Card, net: nn.Module, count: int) -> Tensor:
    """Targets for `example` inputs: each class in turn, normal numbers, or the next characters."""
    if reads_text(card):
        return text(card, count)[:, 1:]
    outputs = net(example(card, 2)).shape[1]
    return torch.arange(count) % outputs if task_of(net) == "classification" else draw(count, outputs, seed=3)


def learner(card: Card, net: nn.Module) -> Supervised | LanguageModel:
    """The network with the loss of its recipe, or the one that fits its task."""
    if reads_text(card):
        return LanguageModel(net, words(card)["context"])
    loss = create(card.recipe["loss"]) if "loss" in card.recipe else None
    return Supervised(net, task_of(net), loss)


def shapes_fit(card: Card) -> None:
    """Any batch size gives one row of outputs per sample (per character); features come before them."""
    net = build(card).eval()
    outputs = words(card).get("num_classes", net(example(card, 1)).shape[-1])
    for count in (1, 2, 5):
        x = example(card, count)
        shape = (*x.shape, outputs) if reads_text(card) else (count, outputs)
        must(net(x).shape == shape, f"{card.name} made {tuple(net(x).shape)} of {count} samples")
        must(len(net.forward_features(x)) == count, f"{card.name}.forward_features loses the batch")


def other_sizes_fit(card: Card) -> None:
    """A larger and not square input works when the network is told of it."""
    if "input_size" not in words(card):
        return
    channels, height, width = input_shape(card)
    size = (height + 4, width + 10)
    net = build(card, input_size=size).eval()
    must(len(net(draw(2, channels, *size))) == 2, f"{card.name} loses the batch at {size}")


def later_characters_change_nothing(card: Card) -> None:
    """What reads text gives the same at each place whatever comes after it, or nothing does."""
    if not reads_text(card):
        return
    net, x = build(card).eval(), example(card, 3)
    whole = net(x)
    for place in range(1, x.shape[1]):
        other = torch.cat([x[:, :place], (x[:, place:] + 1) % words(card)["num_classes"]], 1)
        close(net(other)[:, :place], whole[:, :place], 1e-5, f"{card.name} looks ahead: before {place}")
        close(net(x[:, :place]), whole[:, :place], 1e-5, f"{card.name} on {place} characters")
    must(not torch.equal(net(other), whole), f"{card.name} does not look at the last character")


def every_parameter_learns(card: Card) -> None:
    """One backward pass gives each parameter a finite gradient that is not all zero."""
    net = build(card)  # 17 samples: classes of equal size would leave a bias of zero without gradient
    learner(card, net).loss("all", (example(card, 17), target(card, net, 17))).backward()
    for name, parameter in net.named_parameters():
        grad = parameter.grad
        must(grad is not None, f"{card.name}: {name} gets no gradient")
        assert grad is not None
        sound = bool(torch.isfinite(grad).all() and grad.any())
        must(sound, f"{card.name}: {name}'s gradient is zero or not finite")


def samples_stand_alone(card: Card) -> None:
    """In evaluation mode a batch gives what its samples give one by one."""
    net, x = build(card).eval(), example(card, 4)
    close(net(x), torch.cat([net(row) for row in x.split(1)]), 1e-5, card.name)


def builds_without_memory(card: Card) -> None:
    """On the meta device it has the same parameters, and none of them has storage."""
    with torch.device("meta"):
        net = build(card)
    must(all(p.is_meta for p in net.parameters()), f"{card.name} makes parameters outside the meta device")
    shapes = {name: p.shape for name, p in net.named_parameters()}
    real = {name: p.shape for name, p in build(card).named_parameters()}
    must(shapes == real, f"{card.name} has other parameters on the meta device")


def has_the_stated_size(card: Card) -> None:
    """It has the number of parameters that the card states, at `figures["at"]` (default: no options)."""
    if "parameters" not in card.figures:
        return
    with torch.device("meta"):
        net = create(card.name, **card.figures.get("at", {}))
    count = sum(p.numel() for p in net.parameters())
    stated = card.figures["parameters"]
    must(count == stated, f"{card.name} has {count:,} parameters, not {stated:,}")


def learns_eight_samples(card: Card) -> None:
    """It fits eight random samples: all classes right, or values to a hundredth of their variance."""
    net = build(card)
    batch, trained = (example(card, 8), target(card, net, 8)), learner(card, net)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(OVERFIT_STEPS):
        optimizer.zero_grad()
        trained.loss("all", batch).backward()
        optimizer.step()
        if step % 10 == 9 and _fits(trained, batch):
            return
    must(False, f"{card.name} does not fit eight samples in {OVERFIT_STEPS} steps of Adam at 0.01")


@torch.no_grad()
def _fits(trained: Supervised | LanguageModel, batch: tuple[Tensor, Tensor]) -> bool:
    trained.eval()
    scores = trained.scores(batch)
    trained.train()
    if "accuracy" in scores:
        return bool((scores["accuracy"] == 1).all())
    return bool(scores["squared_error"].mean() < 0.01 * batch[1].var())


def compiles(card: Card) -> None:
    """`torch.compile` takes it whole (PyTorch's recurrent layers as one step each) and gives the same."""
    net, x = build(card).eval(), example(card, 3)
    torch.compiler.reset()
    with torch._dynamo.config.patch(allow_rnn=True), warnings.catch_warnings():
        # dynamo makes an instance of every autograd.Function, and warns of it
        warnings.filterwarnings("ignore", ".*should not be instantiated", DeprecationWarning)
        compiled = torch.compile(net, fullgraph=True, backend="aot_eager")(x)
    close(compiled, net(x), 1e-5, f"{card.name} compiled")


def exports(card: Card) -> None:
    """`torch.export` takes it with any batch size and gives the same."""
    net, x = build(card).eval(), example(card, 3)
    dynamic = ({0: torch.export.Dim.AUTO},)
    with warnings.catch_warnings():  # PyTorch's recurrent layers keep a list of their own weights
        warnings.filterwarnings("ignore", "The tensor attributes .*_flat_weights", UserWarning)
        exported = torch.export.export(net, (x,), dynamic_shapes=dynamic).module()
    more = example(card, 5, seed=1)
    close(exported(more), net(more), 1e-5, f"{card.name} exported")


def runs_in_onnx_runtime(card: Card) -> None:
    """Written as ONNX it gives the same, in batches of another size than the traced one."""
    net, x = build(card).eval(), example(card, 3)
    with exporting(f"{card.name} cannot be exported to ONNX"), TemporaryDirectory() as folder:
        program = torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("n")},))
        file = Path(folder) / "network.onnx"
        write_onnx(program, file, {"input": {"name": "x"}, "output": {"name": "y"}})
        run = read_onnx(file)
    for count in (1, 5):
        more = example(card, count, seed=1)
        close(torch.from_numpy(run(more)), net(more), 1e-4, f"{card.name} in ONNX Runtime")


def seed_decides(card: Card) -> None:
    """The same seed gives the same weights and the same noise."""
    x, outputs = example(card, 4), []
    for _ in range(2):
        net = build(card, seed=7).train()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(8)
            outputs.append(net(x))
    must(torch.equal(*outputs), f"{card.name} differs between two runs of one seed")


def state_round_trips(card: Card) -> None:
    """A fresh network with the state of a first one gives exactly its outputs."""
    net, other, x = build(card).eval(), build(card, seed=1).eval(), example(card, 3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.01)
    other.load_state_dict(net.state_dict())
    must(torch.equal(net(x), other(x)), f"{card.name}: its state dict does not hold all of its state")


LAWS: tuple[Check, ...] = (
    shapes_fit,
    later_characters_change_nothing,
    other_sizes_fit,
    every_parameter_learns,
    samples_stand_alone,
    builds_without_memory,
    has_the_stated_size,
    learns_eight_samples,
    compiles,
    exports,
    *((runs_in_onnx_runtime,) if all(map(find_spec, PACKAGES)) else ()),
    seed_decides,
    state_round_trips,
)
