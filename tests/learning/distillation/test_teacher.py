"""What a teacher says of rows."""

from math import exp

import pytest
import torch
from torch import nn

from torchatlas.learning.distillation import soft_targets


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_soft_targets_are_the_softened_probabilities_in_evaluation_mode(temperature):
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0)).double()
    teacher = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3)).double()
    p = soft_targets(teacher, x, temperature, batch_size=3)
    for row, z in zip(p.tolist(), teacher[1](x).tolist(), strict=True):
        parts = [exp(value / temperature) for value in z]
        assert row == pytest.approx([part / sum(parts) for part in parts], abs=1e-12)
    assert teacher.training and not p.requires_grad
