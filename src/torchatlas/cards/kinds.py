"""Kinds: what a method of the atlas can be, and the contract that each kind keeps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of method: its contract in one sentence, and the shelves whose cards are of this kind.

    `function` says that the thing is a plain function: `create` then binds its options and does not call it.
    """

    name: str
    contract: str
    shelves: tuple[str, ...] = ()
    function: bool = False


_ALL = (
    Kind("activation", "nn.Module: a tensor in, a tensor of the same shape out", ("nn/activations",)),
    Kind("layer", "nn.Module: a tensor in, a tensor out", ("nn",)),
    Kind("norm", "nn.Module: features in, normalised features of the same shape out", ("nn/normalization",)),
    Kind("pool", "nn.Module: a map (batch, channels, height, width) in, a smaller one out", ("nn/pooling",)),
    Kind(
        "position",
        "nn.Module: added to embeddings, turning (q, k), or a bias on attention's scores",
        ("nn/positions",),
    ),
    Kind(
        "initializer",
        "f(tensor, generator=None) fills the tensor in place and returns it",
        ("nn/initialization",),
        function=True,
    ),
    Kind("optimizer", "torch.optim.Optimizer(params, lr=...)", ("optim",)),
    Kind("schedule", "torch.optim.lr_scheduler.LRScheduler(optimizer, ...)", ("optim/schedules",)),
    Kind("loss", "nn.Module: (prediction, target) -> scalar; reduction mean, sum or none", ("losses",)),
    Kind(
        "gan_loss",
        "critic(real_logits, fake_logits) and generator(fake_logits) -> scalars; Pair says what it may add",
        ("losses/adversarial_pairs",),
    ),
    Kind(
        "penalty",
        "nn.Module: (network, x, prediction, loss) -> a scalar that is added to the loss",
        ("losses/penalties",),
    ),
    Kind("metric", "update, compute, reset and merge: merged halves equal the whole", ("metrics",)),
    Kind("sampler", "row numbers from counted randomness", ("data/samplers",)),
    Kind("augmentation", "a batch in, a batch out, from counted randomness", ("data/augmentation",)),
    Kind("network", "nn.Module(num_classes=..., in_channels=...) with forward_features", ("networks",)),
    Kind("learner", "engine.learner.Learner: players that take turns", ("generative", "learning")),
    Kind("estimator", "scikit-learn's: fit, predict and get_params", ("learning/classical",)),
    Kind("attack", "f(model, x, y) -> x' inside its ball", ("inspection/attacks",), function=True),
    Kind("explanation", "f(model, x, y) -> a map over x", ("inspection/explanations",), function=True),
    Kind("compression", "f(model) -> a smaller model", ("inspection/compression",), function=True),
    Kind("tool", "a plain function", ("inspection", "data", "nn/boxes"), function=True),
    Kind("task", "a learner with its data, metric and report", ("tasks",)),
    Kind("demo", "an experiment with an outcome", ("study/claims",), function=True),
    Kind("own", "the user's own class, or a function that builds one"),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
_SHELVES = {shelf: kind.name for kind in _ALL for shelf in kind.shelves}


def default_kind(page: str) -> str:
    """The kind of the cards of a page ("optim/schedules/decay.py") that do not state one; "" for none.

    The longest shelf that the page lies on wins.
    """
    parts = page.removesuffix(".py").split("/")
    for end in range(len(parts), 0, -1):
        if kind := _SHELVES.get("/".join(parts[:end])):
            return kind
    return ""
