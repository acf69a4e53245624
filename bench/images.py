"""Networks of images beside timm's, torchvision's and pytorchcv's: training and inference, in alternation.

`python -m bench images [NAME …]` in an environment that has the three (`.parity`, made by
`make parity`). Ours over theirs is the ratio of times: below 1, ours is faster. `--chosen WORDS` is for
both in other numerics (channels_last+bfloat16); `--build` times making the network.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.pairs import Ratio, pairs
from torchatlas import create
from torchatlas.engine.numerics import Numerics

sys.path.append(str(Path(__file__).resolve().parents[1] / "parity"))  # how torchvision is imported at all
# Ours, the library, its name, the pixels of a side, and the images at once.
NETWORKS = (
    ("resnet18", "torchvision", "resnet18", 224, 4),
    ("resnet18", "timm", "resnet18", 224, 4),
    ("resnet50", "torchvision", "resnet50", 224, 4),
    ("resnet50", "timm", "resnet50", 224, 4),
    ("mobilenetv2_100", "torchvision", "mobilenet_v2", 224, 8),
    ("mobilenetv2_100", "timm", "mobilenetv2_100", 224, 8),
    ("mobilenetv3_large_100", "torchvision", "mobilenet_v3_large", 224, 8),
    ("mobilenetv3_large_100", "timm", "mobilenetv3_large_100", 224, 8),
    ("shufflenet_v2_x1_0", "torchvision", "shufflenet_v2_x1_0", 224, 8),
    ("efficientnet_b0", "torchvision", "efficientnet_b0", 224, 8),
    ("efficientnet_b0", "timm", "efficientnet_b0", 224, 8),
    ("ghostnet_100", "timm", "ghostnet_100", 224, 8),
    ("resnet20_cifar", "pytorchcv", "resnet20_cifar10", 32, 64),
)


def peer(library: str, name: str) -> nn.Module:
    """A network of another library, as it comes, without weights from anywhere."""
    import torchvision_operators  # noqa: F401  before torchvision

    if library == "torchvision":
        import torchvision

        return torchvision.models.get_model(name, weights=None)
    if library == "pytorchcv":
        from pytorchcv.model_provider import get_model

        return get_model(name, pretrained=False)
    import timm

    return timm.create_model(name, pretrained=False)


def training(network: nn.Module, numerics: Numerics, x: Tensor, y: Tensor) -> Callable[[], None]:
    """A step of plain SGD."""
    optimizer = torch.optim.SGD(network.train().parameters(), 0.01)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=numerics.bfloat16):
            loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()

    return step


def inference(network: nn.Module, numerics: Numerics, x: Tensor) -> Callable[[], None]:
    """A forward pass in evaluation mode."""

    @torch.inference_mode()
    def run() -> None:
        network.eval()
        with torch.autocast("cpu", torch.bfloat16, enabled=numerics.bfloat16):
            network(x)

    return run


def measure(row: tuple[str, str, str, int, int], count: int, words: str) -> list[Ratio]:
    """Training and inference of a network and its peer."""
    name, library, theirs, side, batch = row
    numerics = Numerics.parse(words)
    layout = torch.channels_last if numerics.channels_last else torch.contiguous_format
    nets = [net.to(memory_format=layout) for net in (create(name), peer(library, theirs))]
    x = torch.randn(batch, 3, side, side).to(memory_format=layout)
    y, title = torch.randint(10, (batch,)), f"{name} beside {library} ({words})"
    made = [
        pairs(f"{title}: training", *(training(net, numerics, x, y) for net in nets), count=count),
        pairs(f"{title}: inference", *(inference(net, numerics, x) for net in nets), count=count),
    ]
    for ratio in made:
        print(f"{ratio}; {batch / ratio.ours:.1f} against {batch / ratio.theirs:.1f} images/s", flush=True)
    return made


def main(words: list[str]) -> int:
    """Measure the networks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench images", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *{row[0] for row in NETWORKS}])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--chosen", default="exact")
    parser.add_argument("--build", action="store_true")
    said = parser.parse_args(words)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for row in NETWORKS:
        if said.names and row[0] not in said.names:
            continue
        if said.build:
            name, library, theirs = row[:3]
            title = f"building {name} beside {library}"
            print(
                pairs(title, lambda n=name: create(n), lambda of=library, n=theirs: peer(of, n), said.pairs)
            )
        else:
            measure(row, said.pairs, said.chosen)
    return 0
