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
    Peer("alexnet_torchvision", "torchvision", "alexnet", (224, 224)),
    Peer("vgg11", "torchvision", "vgg11", (97, 130), {"grid": (7, 7), "input_size": (97, 130)}),
    Peer("vgg16_bn", "torchvision", "vgg16_bn", (97, 130), {"grid": (7, 7), "input_size": (97, 130)}),
    Peer("nin_cifar10", "pytorchcv", "nin_cifar10", (32, 32)),
    Peer("squeezenet1_0", "torchvision", "squeezenet1_0", (97, 118)),
    Peer("squeezenet1_1", "torchvision", "squeezenet1_1", (97, 118)),
    Peer("squeezenet1_0_simple", "pytorchcv", "squeezeresnet_v1_0", (224, 224)),
    Peer("shufflenet_v1", "pytorchcv", "shufflenet_g3_w1", (224, 224)),
    Peer("shufflenet_v1_g1", "pytorchcv", "shufflenet_g1_w1", (224, 224)),
    Peer("shufflenet_v1_g8", "pytorchcv", "shufflenet_g8_w1", (224, 224)),
    Peer("shufflenet_v2_x0_5", "torchvision", "shufflenet_v2_x0_5", (97, 118)),
    Peer("shufflenet_v2_x1_0", "torchvision", "shufflenet_v2_x1_0", (97, 118)),
    Peer("ghostnet_050", "timm", "ghostnet_050", (97, 118)),
    Peer("ghostnet_100", "timm", "ghostnet_100", (97, 118)),
    Peer("mobilenetv1_100", "timm", "mobilenetv1_100", (75, 98), {"activation": "relu6"}),
    Peer("mobilenetv2_100", "torchvision", "mobilenet_v2", (75, 98)),
    Peer("mobilenetv2_100", "timm", "mobilenetv2_100", (75, 98)),
    Peer("mobilenetv2_140", "timm", "mobilenetv2_140", (75, 98)),
    Peer("mobilenetv3_large_100", "torchvision", "mobilenet_v3_large", (75, 98)),
    Peer("mobilenetv3_small_100", "torchvision", "mobilenet_v3_small", (75, 98)),
    Peer("mobilenetv3_large_100", "timm", "mobilenetv3_large_100", (75, 98), {"eps": 1e-5}),
    Peer("efficientnet_b0", "torchvision", "efficientnet_b0", (75, 98), {"eps": 1e-5}),
    Peer("efficientnet_b0", "timm", "efficientnet_b0", (75, 98), {"eps": 1e-5}),
    Peer("efficientnet_b3", "torchvision", "efficientnet_b3", (75, 98), {"eps": 1e-5}),
    Peer("efficientnet_b5", "torchvision", "efficientnet_b5", (75, 98)),
    Peer("efficientnetv2_s", "torchvision", "efficientnet_v2_s", (75, 98)),
    Peer("efficientnetv2_s", "timm", "efficientnetv2_s", (75, 98), {"eps": 1e-5}),
    Peer(
        "googlenet_torchvision",
        "torchvision",
        "googlenet",
        (215, 190),
        theirs={"init_weights": False, "aux_logits": False},
    ),
    Peer("bninception_caffe", "pytorchcv", "bninception", (224, 224)),
    Peer("inception_v3", "timm", "inception_v3", (155, 132)),
    Peer("inception_v4", "timm", "inception_v4", (155, 132)),
    Peer("inception_resnet_v2", "timm", "inception_resnet_v2", (155, 132)),
    Peer("densenet121", "torchvision", "densenet121", (80, 112)),
    Peer("densenet121", "timm", "densenet121", (80, 112)),
    Peer("densenet161", "torchvision", "densenet161", (64, 96)),
    Peer("densenet_bc100_k12_cifar", "pytorchcv", "densenet100_k12_bc_cifar10", (32, 32)),
    Peer("wrn40_8_cifar", "pytorchcv", "wrn40_8_cifar10", (32, 32)),
    Peer("pyramidnet110_a48_cifar", "pytorchcv", "pyramidnet110_a48_cifar10", (32, 32)),
    Peer("xception", "timm", "legacy_xception", (107, 133)),
    Peer("regnetx_004_tv", "torchvision", "regnet_x_400mf", (70, 99)),
    Peer("regnetx_032", "torchvision", "regnet_x_3_2gf", (70, 99)),
    Peer("regnety_004", "torchvision", "regnet_y_400mf", (70, 99)),
    Peer("regnety_008_tv", "torchvision", "regnet_y_800mf", (70, 99)),
    Peer("regnetx_004", "timm", "regnetx_004", (70, 99)),
    Peer("regnety_008", "timm", "regnety_008", (70, 99)),
    Peer("regnety_032", "timm", "regnety_032", (70, 99)),
    Peer("resnet50d", "timm", "resnet50d", (70, 99)),
    Peer("resnetrs50", "timm", "resnetrs50", (70, 99)),
    Peer("resnest50d", "timm", "resnest50d", (70, 99)),
    Peer("resnest50d_1s4x24d", "timm", "resnest50d_1s4x24d", (70, 99)),
    Peer("resnest50d_4s2x40d", "timm", "resnest50d_4s2x40d", (70, 99)),
    Peer("convnext_tiny", "timm", "convnext_tiny", (75, 101)),
    Peer("convnext_tiny", "torchvision", "convnext_tiny", (75, 101)),
    Peer("nasnet_a_mobile", "pytorchcv", "nasnet_4a1056", (224, 224)),
    Peer("nfnet_f0", "timm", "dm_nfnet_f0", (75, 98), {"eps": 1e-5}),
    Peer(
        "nfnet_f1",
        "timm",
        "dm_nfnet_f1",
        (75, 98),
        {
            "eps": 1e-5,
            "layers": (1, 3, 2),
            "widths": (32, 48, 64),
            "stem_widths": (2, 4, 8),
            "group_width": 8,
        },
        {"depths": (1, 3, 2), "channels": (32, 48, 64), "stem_chs": 16, "group_size": 8, "num_features": 128},
    ),
    Peer("convnextv2_atto", "timm", "convnextv2_atto", (75, 101), theirs={"conv_mlp": False}),
    Peer("vit_tiny_patch16_224", "timm", "vit_tiny_patch16_224", (224, 224)),
    Peer("vit_base_patch16_224", "torchvision", "vit_b_16", (224, 224)),
    Peer("deit_tiny_distilled", "timm", "deit_tiny_distilled_patch16_224", (224, 224)),
    Peer("mixer_s16", "timm", "mixer_s16_224", (224, 224)),
    Peer("swin_tiny", "timm", "swin_tiny_patch4_window7_224", (224, 224)),
    Peer("swin_tiny", "torchvision", "swin_t", (250, 199), {"input_size": (250, 199)}),
    Peer("cait_xxs24", "timm", "cait_xxs24_224", (224, 224)),
    Peer("pit_s_224", "timm", "pit_s_224", (224, 224)),
    Peer("levit_256", "timm", "levit_256", (224, 224)),
    Peer("twins_svt_small", "timm", "twins_svt_small", (224, 224)),
)

# One of each table of names: `anchors.py` keeps what these answer for tests without the libraries.
ANCHORED = (
    *(
        "resnet18",
        "resnet50",
        "googlenet_torchvision",
        "inception_v3",
        "densenet121",
        "nfnet_f1",
        "xception",
        "convnextv2_atto",
        "squeezenet1_1",
    ),
    *("shufflenet_v2_x0_5", "ghostnet_050", "mobilenetv1_100", "mobilenetv2_100", "mobilenetv3_small_100"),
    *("efficientnet_b0", "efficientnetv2_s", "vit_tiny_patch16_224", "mixer_s16", "swin_tiny", "cait_xxs24"),
    "pit_s_224",
    "levit_256",
    "twins_svt_small",
    *("regnety_004", "regnety_008", "resnetrs50", "resnest50d"),
)
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
