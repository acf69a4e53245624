"""Weights to start from: those of an earlier run, of a file, or of another library."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...data.preparation import Preparation
from ...data.spec import Spec
from ...engine.checkpoint import Store
from ...engine.distribution import ALONE, Group
from ...engine.errors import AtlasError, UsageError
from ...engine.learner import Learner
from ...generative.autoregressive.language_model import LanguageModel
from ...learning.metric.embedding import Embedding
from ...learning.supervised.supervised import Supervised
from ...networks.weights import LIBRARIES, convert, read_weights, unlike
from .build import build
from .recipe import RECIPE, Recipe, recipe_of
from .run import best_weights
from .words import RUN

WRAPPERS = (Supervised, Embedding, LanguageModel)  # what a network is trained in
NETWORK = "network."  # before the names of its weights there
CUT = ("data", "seed", "split", "test", "fold")  # what of a recipe decides which rows are tested


@dataclass(frozen=True)
class Start:
    """Weights to start from: whose names they have, and the run that they are from, if it is one."""

    source: str
    state: Mapping[str, Tensor]
    library: str = ""
    recipe: Recipe | None = None
    spec: Spec | None = None

    def told(self, recipe: Recipe, fixed: bool) -> dict[str, Any]:
        """What a recipe keeps of them. fixed: whether the data has a test part of its own."""
        note = f"it started from the weights of {self.source}"
        if (run := self.recipe) is not None:
            note += f" ({run.method} on {run.data}, seed {run.seed})"
            cut = [name for name in CUT if getattr(run, name) != getattr(recipe, name)]
            if cut and run.data == recipe.data and not fixed:
                note += ": they come from another split, and may have seen rows of this test part"
        return {"sha256": _sum_of(self.state), "note": note}


def located(source: Any) -> str:
    """A source of weights as a recipe names it: paths are absolute."""
    text = str(source).removeprefix(RUN)
    return text if _is_of_library(text) else str(Path(text).expanduser().resolve())


def _is_of_library(text: str) -> bool:
    library, colon, name = text.partition(":")
    return bool(colon and name) and library in LIBRARIES


def read_start(recipe: Recipe, folder: Path | None = None, group: Group = ALONE) -> Start | None:
    """The weights that a run starts from; None where it names none, or goes on from a checkpoint of its own.

    Raises UsageError where there are none, and AtlasError where they cannot be read, or are not those that
    the recipe was begun with.
    """
    if recipe.start is None or group.by_first(lambda: _goes_on(folder)):
        return None
    with group.in_turn():
        start = _read(recipe.start)
    if recipe.started and recipe.started["sha256"] != _sum_of(start.state):
        raise AtlasError(
            f"{recipe.start} holds other weights than this recipe was begun with (their checksum differs): "
            f"put the old ones back, or say --from {recipe.start} to take those that are there now"
        )
    return start


def known(recipe: Recipe) -> Recipe:
    """With the checksum of the weights that it starts from, if any."""
    start = read_start(recipe)
    return recipe.model_copy(update={"started": {"sha256": _sum_of(start.state)}}) if start else recipe


def _goes_on(folder: Path | None) -> bool:
    """Whether a run has a sound checkpoint, which holds everything."""
    if folder is None or not (folder / RECIPE).exists():
        return False
    return Store(folder / "checkpoints").newest(lambda note: None, mend=False) is not None


def _read(source: str) -> Start:
    path = Path(source)
    if _is_of_library(source) or path.suffix == ".safetensors":
        return Start(source, *read_weights(source))
    if not (path / RECIPE).exists():
        raise UsageError(
            f"there is no run in {source} to start from: name the folder of one, a file that ends in "
            f".safetensors, {' or '.join(f'{library}:NAME' for library in LIBRARIES)}"
        )
    recipe = recipe_of(path)
    if (path / "model").exists():
        raise UsageError(
            f"{source} is a run of {recipe.method}, which has no weights: start from a network's"
        )
    return Start(source, best_weights(path), "", recipe, Preparation.load(path / "preparation").spec)


def _sum_of(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def take_up(start: Start, learner: Learner, recipe: Recipe, spec: Spec, method: Any = None) -> str:
    """Give a fresh learner the weights, on the CPU; what was done, in words.

    What depends on the number of classes (a head) is left fresh where it has another shape, and where an
    earlier run's classes are others. Raises UsageError where anything else does not fit.
    """
    wrapped = type(learner) in WRAPPERS
    theirs = _named_as_here(start, learner, recipe, wrapped)
    target = learner.network if wrapped else learner
    assert isinstance(target, torch.nn.Module)
    ours = target.state_dict()
    same = start.spec is None or (start.spec.task, start.spec.classes) == (spec.task, spec.classes)
    fresh: set[str] = set()
    if not same or unlike(theirs, ours):
        head = _of_classes(target.state_dict(), recipe, spec, method, wrapped)
        fits = all(name in theirs and theirs[name].shape == ours[name].shape for name in head)
        fresh = set() if same and fits else head
    taken = {name: tensor for name, tensor in theirs.items() if name not in fresh}
    if said := unlike({**taken, **{name: ours[name] for name in fresh}}, ours):
        raise UsageError(f"{start.source} does not fit {recipe.method}: {said}. {_cure(start, recipe, spec)}")
    target.load_state_dict({**ours, **taken})
    own = f"; fresh, for other classes: {', '.join(sorted(fresh))}" if fresh else ""
    return f"starts from the weights of {start.source}{own}"


def _named_as_here(start: Start, learner: Learner, recipe: Recipe, wrapped: bool) -> dict[str, Tensor]:
    """The weights by the names that they have in a learner, or in the network that it wraps."""
    if not wrapped:
        if start.recipe is None:
            raise UsageError(f"{recipe.method} is no network: it starts from the folder of a run of its own")
        return dict(start.state)
    if start.recipe is None:
        return convert(learner.network, start.state, start.library)  # type: ignore[arg-type]
    found = {
        name.removeprefix(NETWORK): tensor for name, tensor in start.state.items() if name.startswith(NETWORK)
    }
    if not found:
        raise UsageError(
            f"{start.source} is a run of {start.recipe.method}, which holds no network such as "
            f"{recipe.method}: start from a run of {recipe.method}"
        )
    return found


def _of_classes(
    ours: Mapping[str, Tensor], recipe: Recipe, spec: Spec, method: Any, wrapped: bool
) -> set[str]:
    """The tensors whose shape follows the number of classes: what changes where there is one more."""
    more = replace(
        spec,
        outputs=spec.outputs + 1,
        classes=(*spec.classes, "another"),
        counts=(*spec.counts, 1) if spec.counts else (),
    )
    try:
        with torch.random.fork_rng(devices=[]):
            other: Any = build(recipe, more, method)
    except AtlasError:  # it is for this number of classes alone
        return set()
    shapes = {k: v.shape for k, v in (other.network if wrapped else other).state_dict().items()}
    return {name for name, tensor in ours.items() if shapes.get(name) != tensor.shape}


def _cure(start: Start, recipe: Recipe, spec: Spec) -> str:
    if start.recipe is None or start.spec is None:
        return (
            "Say the options that they were trained with; for images of another size than the data's, "
            "--set input_size=(224, 224), say"
        )
    one, other = (_kind(*each) for each in ((start.recipe, start.spec), (recipe, spec)))
    return f"It is a run of {one}, and this is {other}: say the same method, options and size of inputs"


def _kind(recipe: Recipe, spec: Spec) -> str:
    options = ", ".join(f"{key}={value}" for key, value in recipe.options.items())
    return f"{recipe.method}{f' ({options})' if options else ''} for {'×'.join(map(str, spec.shape))}"
