"""Other libraries' weights in our networks give the answers that those libraries gave (parity/anchors.py)."""

import json
from pathlib import Path

import pytest
import torch

from networks.filling import answers, filled
from torchatlas.cards.reader import create
from torchatlas.networks.weights import load_weights

ANCHORS = sorted((Path(__file__).parent / "anchors").glob("*.json"))


@pytest.mark.parametrize("path", ANCHORS, ids=lambda path: path.stem)
def test_weights_of_others_give_their_answers(path):
    anchor = json.loads(path.read_text())
    net = create(anchor["ours"], **anchor["options"]).double()
    load_weights(net, filled(anchor["shapes"]), names=anchor["library"])
    for mode, logits in answers(net, anchor["size"]).items():
        expected = torch.tensor(anchor["answers"][mode], dtype=torch.double)
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


def test_there_are_anchors():
    assert len(ANCHORS) > 1
