import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.positions import AbstractAddedPosition


class Count(AbstractAddedPosition):
    def vectors(self, length):
        return torch.arange(float(length))[:, None]


def test_vectors_are_added_up_to_the_context():
    x = torch.zeros(2, 3, 1)
    assert Count(3)(x).tolist() == Count()(x).tolist() == [[[0.0], [1.0], [2.0]]] * 2
    assert Count()(x.half()).dtype == torch.half
    with pytest.raises(UsageError, match="4 places are more than the context of 3"):
        Count(3)(torch.zeros(1, 4, 1))
    with pytest.raises(UsageError, match="context"):
        Count(0)
    with pytest.raises(NotImplementedError):
        AbstractAddedPosition()(x)
