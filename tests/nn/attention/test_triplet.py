import numpy as np
import torch

from torchatlas import create
from windows import conv, drawn, equal, numbers

from .plain import batch_norm, shaken, sigmoid


def test_each_axis_is_weighted_across():
    x, layer = drawn(2, 4, 5, 6), shaken("triplet_attention")
    a, total = numbers(x), 0.0
    turns = [(layer.rows, (0, 2, 1, 3)), (layer.columns, (0, 3, 2, 1)), (layer.channels, (0, 1, 2, 3))]
    for gate, order in turns:
        turned = a.transpose(order)
        both = torch.as_tensor(np.stack((turned.mean(1), turned.max(1)), 1))
        weights = sigmoid(batch_norm(gate.norm, conv(both, gate.conv.weight, None, 1, 3)))
        total = total + (turned * weights).transpose(order)  # each of these turns undoes itself
    equal(layer(x), total / 3)
    assert sum(p.numel() for p in create("triplet_attention").parameters()) == 3 * (2 * 49 + 2)
