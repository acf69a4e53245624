import re

import pytest
import torch

from torchatlas.networks.lightweight.inverted_residual import (
    InvertedResidual,
    Row,
    SqueezeExcite,
    numbered,
    repeated,
)


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        (Row(8, 24), ["expand", "depthwise", "project", "drop"]),
        (Row(8, 24, 5, 2, 2), ["expand", "depthwise", "gate", "project"]),
        (Row(16, 8), ["depthwise", "project"]),
        (Row(8, 24, fused=True), ["fused", "project", "drop"]),
        (Row(8, 8, fused=True), ["fused", "drop"]),
        (Row(16, 8, fused=True), ["fused"]),
    ],
)
def test_a_block_has_no_needless_parts(row, parts):
    block = InvertedResidual(8, row, drop_path=0.1)
    assert list(dict(block.body.named_children())) == parts
    assert block.around == ("drop" in parts)


def test_a_gate_is_felt_where_its_numbers_say():
    gate = SqueezeExcite(2, 1, "relu", "hardsigmoid").double()
    (one, first), (two, second) = ((each.weight, each.bias) for each in (gate.excite[0], gate.excite[2]))
    with torch.no_grad():
        one.copy_(torch.tensor([2.0, -1.0])[None, :, None, None])
        two.copy_(torch.tensor([1.0, -3.0])[:, None, None, None])
        first.fill_(0.5), second.copy_(torch.tensor([0.0, 6.0]))
        x = torch.tensor([[1.0, 3.0], [-1.0, 4.0]], dtype=torch.double)[None, :, None, :]  # means 2 and 1.5
    # 2·2 − 1.5 + 0.5 = 3; scores 3 and −9 + 6 = −3: gates 1 and 0
    torch.testing.assert_close(gate(x), x * torch.tensor([1.0, 0.0])[:, None, None])


def test_only_a_stage_s_first_block_changes_the_map():
    rows = repeated(16, 6, 24, 3, 2, 5, 0.25)
    assert [(row.within, row.stride, row.squeezed) for row in rows] == [(96, 2, 4), (144, 1, 6), (144, 1, 6)]
    assert [row.squeezed for row in repeated(2, 6, 4, 2, 1, squeeze=0.25)] == [1, 1]


def test_blocks_that_are_numbered_through_are_found():
    def ours(name: str) -> str:
        for pattern, new in numbered((1, 2)):
            name = re.sub(pattern, new, name)
        return name

    names = ("features.0.1.bias", "features.1.x", "features.2.x", "features.3.x", "features.4.0.weight")
    assert [ours(name) for name in names] == [
        *("stem.1.bias", "stages.0.0.x", "stages.1.0.x", "stages.1.1.x", "neck.0.0.weight")
    ]
