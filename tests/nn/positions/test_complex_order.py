import cmath

import pytest
import torch

from torchatlas import create

from .plain import equal, numbers


def test_words_turn_as_their_place_moves_on():
    layer = create("complex_pe", num_embeddings=5, width=3).double()
    ids = torch.tensor([[1, 4, 4, 0], [2, 2, 2, 2]])
    got = layer(ids)
    r, speed, phase = (numbers(t.weight) for t in (layer.amplitude, layer.speed, layer.phase))
    for b in range(2):
        for k in range(4):
            j = int(ids[b, k])
            for n in range(3):
                expected = r[j, n] * cmath.exp(1j * (speed[j, n] * k + phase[j, n]))
                assert complex(got[b, k, n].detach()) == pytest.approx(expected, abs=1e-12)
    equal(got.abs(), layer.amplitude(ids).abs())
    equal(got[1, 3], got[1, 1] * torch.polar(torch.ones(3, dtype=torch.double), 2 * layer.speed.weight[2]))
