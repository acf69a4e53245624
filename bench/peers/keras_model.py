"""Keras 3: `compile` and `fit` over arrays in memory, on the backend that KERAS_BACKEND names."""

from pathlib import Path

import keras
import numpy as np
from torch import Tensor

from bench.peers import keras_nets
from bench.peers.nets import Array, Data, Task
from bench.peers.side import Side


class Keras(Side):
    """As it comes, with its progress. The model is made and compiled once, and set back to its first weights.

    So the times leave out what JAX takes to compile.
    """

    def __init__(self, task: Task, data: Data, seed: int, folder: Path):
        keras.utils.set_random_seed(seed)
        self.task, self.x, self.y = task, layout(data.x), data.y.numpy()
        self.model = keras_nets.network(task, data.classes)
        if task.optimizer == "adam":
            optimizer = keras.optimizers.Adam(task.lr, epsilon=1e-8)
        else:
            optimizer = keras.optimizers.SGD(task.lr, task.momentum)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer, loss)
        optimizer.build(self.model.trainable_variables)
        self.variables = [*self.model.variables, *optimizer.variables]
        self.start = [np.array(keras.ops.convert_to_numpy(variable)) for variable in self.variables]

    def fresh(self) -> None:
        """The first weights, and an optimizer that has seen nothing."""
        for variable, value in zip(self.variables, self.start, strict=True):
            variable.assign(value)

    def run(self) -> None:
        """One epoch."""
        self.model.fit(self.x, self.y, batch_size=self.task.batch, epochs=1)

    def classes(self, x: Tensor) -> Array:
        """By the trained model."""
        logits: Array = self.model.predict(layout(x), batch_size=256, verbose=0)
        return logits.argmax(-1)

    @property
    def parameters(self) -> int:
        """Those that are trained."""
        return sum(int(np.prod(variable.shape)) for variable in self.model.trainable_variables)


def layout(x: Tensor) -> Array:
    """Images with the channels last, which is Keras's default; other rows as they are."""
    array: Array = x.numpy()
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array
