"""scikit-learn: MLPClassifier, for the perceptron alone."""

import warnings
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor

from bench.peers.nets import Array, Data, Task
from bench.peers.side import Side


class Sklearn(Side):
    """One epoch, without its weight decay; it starts from weights of its own."""

    def __init__(self, task: Task, data: Data, seed: int, folder: Path):
        self.task, self.x, self.y, self.seed = task, data.x.numpy(), data.y.numpy(), seed

    def fresh(self) -> None:
        """An estimator that has seen nothing."""
        self.net = MLPClassifier(
            self.task.options["hidden"],
            solver=self.task.optimizer,
            alpha=0.0,
            batch_size=self.task.batch,
            learning_rate_init=self.task.lr,
            max_iter=1,
            random_state=self.seed,
        )

    def run(self) -> None:
        """One epoch."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is asked for
            self.net.fit(self.x, self.y)

    def classes(self, x: Tensor) -> Array:
        """By the fitted estimator."""
        return self.net.predict(x.numpy())

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(part.size for part in (*self.net.coefs_, *self.net.intercepts_))
