"""Networks of images beside timm's, torchvision's and pytorchcv's, with their weights under our names."""

import json

import pytest
import torch
from anchors import anchor, path
from networks_peers import ANCHORS, PEERS, Peer, made, shake

from networks.filling import DROPPING
from torchatlas import create
from torchatlas.networks.weights import load_weights


@pytest.mark.parametrize("peer", PEERS, ids=str)
def test_network(same, peer: Peer):
    theirs = shake(made(peer)).double()
    ours = load_weights(create(peer.ours, **peer.options), theirs.state_dict(), names=peer.library).double()
    for module in (*ours.modules(), *theirs.modules()):
        for word in DROPPING:  # what is left out is drawn
            if isinstance(getattr(module, word, None), float):
                setattr(module, word, 0.0)
    x = torch.randn(2, 3, *peer.size, dtype=torch.double)
    for training in (False, True):
        ours.train(training), theirs.train(training)
        with torch.no_grad():
            mine, other = ours(x), theirs(x)
        other = other[0] if isinstance(other, tuple) else other
        same(peer.ours, f"{peer.library}.{peer.name}", mine, other, 1e-5)


def test_nasnet_but_for_the_border_of_means(same):
    """timm's means of 3×3 pixels at stride 2 count the border's zeros; pytorchcv's and ours do not."""
    theirs = shake(made(Peer("nasnet_a_large", "timm", "nasnetalarge"))).double().train()
    for name, module in list(theirs.named_modules()):
        if type(module).__name__ == "AvgPool2dSame":
            theirs.set_submodule(name, torch.nn.AvgPool2d(3, 2, 1, count_include_pad=False))
    ours = load_weights(create("nasnet_a_large", dropout=0.0), theirs.state_dict(), names="timm").double()
    x = torch.randn(2, 3, 67, 99, dtype=torch.double)  # maps of odd size, whose border is alike on both sides
    with torch.no_grad():
        same("nasnet_a_large", "timm.nasnetalarge, means patched", ours(x), theirs(x), 1e-5)


@pytest.mark.parametrize("peer", ANCHORS, ids=str)
def test_anchor_is_what_the_library_answers(peer: Peer):
    """Where it is not any more: `.parity/bin/python parity/anchors.py`."""
    kept, now = json.loads(path(peer).read_text()), anchor(peer)
    assert kept["shapes"] == now["shapes"] and kept["options"] == now["options"]
    for mode, logits in now["answers"].items():
        torch.testing.assert_close(
            torch.tensor(kept["answers"][mode]), torch.tensor(logits), rtol=1e-6, atol=1e-6
        )
