"""Which network of which library is which of ours, and how theirs are made: without weights from anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torchvision_operators  # noqa: F401  before torchvision and timm
from torch import nn


@dataclass(frozen=True)
class Peer:
    """A network of ours beside one of another library; `size` are the pixels that both are asked about."""

    ours: str
    library: str
    name: str
    size: tuple[int, int] = (96, 64)
    options: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.ours}-{self.library}.{self.name}"


PEERS = (
    Peer("resnet18", "torchvision", "resnet18"),
    Peer("resnet34", "timm", "resnet34"),
    Peer("resnet50", "torchvision", "resnet50"),
    Peer("resnet50", "timm", "resnet50"),
    Peer("resnext50_32x4d", "torchvision", "resnext50_32x4d"),
    Peer("wide_resnet50_2", "torchvision", "wide_resnet50_2"),
)

# One of each table of names: `anchors.py` keeps what these answer for tests without the libraries.
ANCHORED = ("resnet18", "resnet50")
ANCHORS = tuple(peer for peer in PEERS if peer.ours in ANCHORED)


def made(peer: Peer) -> nn.Module:
    """Their network, its weights drawn at random."""
    if peer.library == "torchvision":
        import torchvision

        return torchvision.models.get_model(peer.name, weights=None, **peer.theirs)
    if peer.library == "timm":
        import timm

        return timm.create_model(peer.name, pretrained=False, **peer.theirs)
    from pytorchcv.model_provider import get_model

    return get_model(peer.name, pretrained=False, **peer.theirs)


def shake(network: nn.Module) -> nn.Module:
    """As after training: batch norms and whatever starts as zeros or ones hold numbers of their own."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point() and (value == value.flatten()[0]).all():
                value.uniform_(0.5, 1.5) if (value != 0).any() else value.normal_(0, 0.1)
    return network
