"""What both estimators share: parameters, checked rows, fitting, and the outputs for new rows."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import nn

from ..cards.reader import UnknownName
from ..data.spec import Dataset, Modality, Part, Spec, Task
from ..data.splits import split
from ..engine.environment import pick_device
from ..engine.errors import AtlasError, Interrupted
from ..engine.learner import Learner
from ..study.training.run import predict_tensor
from .inputs import Array, Inputs
from .training import Method, make_recipe, train_learner

CHUNK = 1024  # rows that are predicted at once
NAMED = ("epochs", "batch_size", "optimizer", "lr", "patience")


class AbstractAtlasEstimator(BaseEstimator):
    """A network of the catalog, or one's own, as a scikit-learn estimator."""

    def __init__(
        self,
        network: str | Callable[..., nn.Module] = "mlp",
        *,
        options: Mapping[str, Any] | None = None,
        epochs: float | None = None,
        batch_size: int | None = None,
        optimizer: str | None = None,
        lr: float | None = None,
        patience: int | None = None,
        standardize: bool = True,
        input_shape: Sequence[int] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        """What is not said (None) is what the network's card says.

        network: a name of the catalog, "module:Thing", or one's own class or function that makes a module.
        options: the network's own (`{"hidden": (64, 64)}`), and further words of a run: steps, minutes,
        schedule, loss, clip, ema, valid, `optimizer.momentum` …
        epochs: the card's, but at least 200 steps. batch_size: the card's, but up to 256 rows are one batch.
        optimizer, lr: its name, as "sgd(momentum=0.9)", and the learning rate.
        patience: stop after so many epochs without improvement on rows kept aside, 15 % of all or the share
        `valid` in options; the best weights are kept.
        standardize: inputs have mean 0 and variance 1 per column (per channel for images), targets of
        regression too; predictions are on the original scale.
        input_shape: (channels, height, width) where each row is an image, which is resized if need be.
        device: "auto" takes CUDA, else MPS, else the CPU.
        random_state: as everywhere in scikit-learn; torch's own random state is left as it was.
        """
        self.network = network
        self.options = options
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.patience = patience
        self.standardize = standardize
        self.input_shape = input_shape
        self.device = device
        self.random_state = random_state

    @property
    def network_(self) -> nn.Module:
        """The trained network."""
        check_is_fitted(self, "learner_")
        network: nn.Module = getattr(self.learner_, "network", self.learner_)
        return network

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if "learner_" in state:  # so that what an accelerator trained can be read where there is none
            state["learner_"] = copy.deepcopy(state["learner_"]).cpu()
        return state

    def _read(self, X: Any, y: Any, sample_weight: Any, numeric: bool) -> tuple[Array, Array, Array | None]:
        """Checked arrays, without the rows that weigh nothing."""
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=numeric)
        if sample_weight is None:
            return X, y, None
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        kept = weight > 0
        if not kept.any():
            raise ValueError("every sample weight is zero: no row is left to learn from")
        return X[kept], y[kept], weight[kept]

    def _fit(self, X: Array, y: Array, weight: Array | None, task: Task, classes: Iterable[Any]) -> Self:
        """Train on checked rows; targets are class numbers (n,), or values (n, k)."""
        try:
            return self._train(X, y, weight, task, tuple(map(str, classes)))
        except Interrupted as error:
            raise KeyboardInterrupt(str(error)) from error
        except (AtlasError, UnknownName) as error:
            raise ValueError(str(error)) from error

    def _train(self, X: Array, y: Array, weight: Array | None, task: Task, classes: tuple[str, ...]) -> Self:
        said = {name: value for name in NAMED if (value := getattr(self, name)) is not None}
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        said |= {"seed": seed, "device": self.device}
        method = Method.of(self.network)
        recipe = make_recipe(self.network, len(X), said, self.options or {})
        cut = split(Dataset("the data", "table", X, y, task), seed=seed, test=0.0, valid=recipe.valid)
        shape = None if self.input_shape is None else tuple(self.input_shape)
        self.inputs_ = Inputs(
            X[cut.train],
            None if weight is None else weight[cut.train],
            standardize=self.standardize,
            shape=shape,
            size=method.image_size(recipe.options, shape is not None),
        )
        double = X.dtype == np.float64 and pick_device(self.device).type != "mps"
        dtype = torch.float64 if double else torch.float32

        def part(rows: Array) -> Part:
            targets = torch.tensor(y[rows], dtype=torch.long if task == "classification" else dtype)
            weights = None if weight is None else torch.tensor(weight[rows], dtype=dtype)
            return Part(self.inputs_.encode(X[rows], dtype), targets, rows, weights)

        train, valid = part(cut.train), part(cut.valid) if len(cut.valid) else None
        counts = tuple(np.bincount(y[cut.train], minlength=len(classes)).tolist()) if y.ndim == 1 else ()
        modality: Modality = "image" if shape else "table"
        spec = Spec(modality, tuple(train.x.shape[1:]), task, len(classes), classes, counts)
        done = train_learner(recipe, method, spec, train, valid)
        self.learner_: Learner = done.learner
        self.n_iter_, self.history_ = done.steps, done.history
        return self

    def _outputs(self, X: Any) -> Array:
        """The network's outputs for raw rows: probabilities, or standardised values."""
        check_is_fitted(self, "learner_")
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        dtype = next(self.learner_.parameters()).dtype
        inputs = (self.inputs_.encode(X[start : start + CHUNK], dtype) for start in range(0, len(X), CHUNK))
        return np.concatenate([predict_tensor(self.learner_, x).numpy() for x in inputs])
