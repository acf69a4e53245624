"""The U-Net of denoising diffusion beside diffusers': every weight copied, all times compared."""

import torch
from diffusers import UNet2DModel
from torch import nn

from torchatlas.networks.dense.diffusion_unet import DiffusionUNet


def copy_block(ours, theirs):
    names = {"norm1": ours.first[0], "conv1": ours.first[2], "time_emb_proj": ours.time[1]}
    names |= {"norm2": ours.second[0], "conv2": ours.second[3]}
    if not isinstance(ours.shortcut, nn.Identity):
        names["conv_shortcut"] = ours.shortcut
    for name, layer in names.items():
        getattr(theirs, name).load_state_dict(layer.state_dict())


def copy_attention(ours, theirs):
    theirs.group_norm.load_state_dict(ours.norm.state_dict())
    wide = [*zip((theirs.to_q, theirs.to_k, theirs.to_v), ours.qkv.weight.chunk(3), ours.qkv.bias.chunk(3))]
    for layer, weight, bias in [*wide, (theirs.to_out[0], ours.out.weight, ours.out.bias)]:
        layer.weight.copy_(weight[:, :, 0, 0]), layer.bias.copy_(bias)


def parts(blocks):
    """Their residual blocks, each with its attention, and changes of size, in the order of ours."""
    for block in blocks:
        attentions = getattr(block, "attentions", [None] * len(block.resnets))
        yield from zip(block.resnets, attentions)
        for sizes in (getattr(block, "downsamplers", None), getattr(block, "upsamplers", None)):
            yield from (size.conv for size in sizes or ())


def copy_all(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        if isinstance(mine, nn.ModuleList):
            copy_block(mine[0], other[0])
            if not isinstance(mine[1], nn.Identity):
                copy_attention(mine[1], other[1])
        else:
            conv = mine if isinstance(mine, nn.Conv2d) else mine[1]
            other.load_state_dict(conv.state_dict())


@torch.no_grad()
def test_unet(same):
    ours = DiffusionUNet(3, (16, 8), 128, (1, 2), 1, attention=(1,)).double().eval()
    for parameter in ours.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.02)
    peer = UNet2DModel(
        in_channels=3,
        out_channels=3,
        freq_shift=1,
        flip_sin_to_cos=False,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(128, 256),
        layers_per_block=1,
        attention_head_dim=256,
    )
    peer = peer.double().eval()
    for layer, other in (
        (ours.time[0], peer.time_embedding.linear_1),
        (ours.time[2], peer.time_embedding.linear_2),
        (ours.stem, peer.conv_in),
        (ours.head[0], peer.conv_norm_out),
        (ours.head[2], peer.conv_out),
    ):
        other.load_state_dict(layer.state_dict())
    copy_all(ours.down, parts(peer.down_blocks))
    middle = peer.mid_block
    copy_all(ours.middle, [(middle.resnets[0], middle.attentions[0]), (middle.resnets[1], None)])
    copy_all(ours.up, parts(peer.up_blocks))
    x, t = torch.randn(3, 3, 16, 8, dtype=torch.double), torch.tensor([0, 412, 999])
    mine, theirs = ours(x, t), peer(x, t).sample
    same("ddpm", "diffusers.UNet2DModel at time 0", mine[:1], theirs[:1], 1e-11)
    same("ddpm", "diffusers.UNet2DModel", mine, theirs, 1e-5)  # both have their waves in float32
