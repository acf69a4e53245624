"""The contract: what each library's page gives, so that all are timed and asked alike."""

from torch import Tensor

from bench.peers.nets import Array


class Side:
    """One library's training of a task: made once, set back and run as often as one likes.

    A page's class takes (task, data, seed, folder) and what its ways differ in. Network, data and trainer are
    made outside of the times; `run` is what is timed: a pass over the rows in batches, the last one whole.
    """

    def fresh(self) -> None:
        """Untimed: back to the first weights and an optimizer that has seen nothing."""
        raise NotImplementedError

    def run(self) -> None:
        """Timed: every step."""
        raise NotImplementedError

    def classes(self, x: Tensor) -> Array:
        """The classes that the trained network tells for test inputs."""
        raise NotImplementedError

    @property
    def parameters(self) -> int:
        """How many numbers the network has to train."""
        raise NotImplementedError
