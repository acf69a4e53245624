"""GoogLeNet: modules of four branches, from one pixel wide to five."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ..image import KeyMap, Size, is_small
from .alexnet import ResponseNorm
from .inception_blocks import AbstractInception, AuxiliaryHead, Conv, Keep, Layer, Split, Units, block, chain

Row = tuple[int, int, int, int, int, int]  # 1×1; 1×1 before 3×3, 3×3; 1×1 before 5×5, 5×5; 1×1 after pooling
# The paper's table 1: modules 3a and 3b, 4a to 4e, 5a and 5b.
TABLE: tuple[tuple[Row, ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
HALVED = Keep(partial(nn.MaxPool2d, 3, 2, ceil_mode=True))
AROUND = Keep(partial(nn.MaxPool2d, 3, 1, 1))
RESPONSE_NORM = partial(ResponseNorm, 2e-5, 1.0)  # the paper tells no constants: these are Caffe's
LEAST = 8  # pixels of a side


def module(row: Row, kernel: int = 5) -> Split:
    """Four branches: 1×1; 1×1, 3×3; 1×1, 5×5 (`kernel`); max pooling, 1×1."""
    a, b, c, d, e, f = row
    return block((Conv(a),), (Conv(b), Conv(c, 3)), (Conv(d), Conv(e, kernel)), (AROUND, Conv(f)))


def stem(batch_norm: bool, small: bool) -> list[Layer]:
    """Convolutions 7×7, 1×1 and 3×3; without batch normalisation the paper's response normalisation."""
    norm = [] if batch_norm else [Keep(RESPONSE_NORM)]
    first = [Conv(64, 3)] if small else [Conv(64, 7, 2), HALVED]
    return [*first, *norm, Conv(64), Conv(192, 3), *norm]


class Grid(nn.Module):
    """The mean over 5×5 windows, 3 pixels apart (not with `even`), then over a grid of 4×4."""

    def __init__(self, even: bool = False):
        super().__init__()
        self.even = even

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, 4, 4)
        wide = not self.even and min(x.shape[2:]) >= 5
        return F.adaptive_avg_pool2d(F.avg_pool2d(x, 5, 3) if wide else x, 4)


def auxiliary_head(channels: int, units: Units, num_classes: int, even_grid: bool) -> AuxiliaryHead:
    """The paper's head on the way: a mean to 4×4, 1×1 convolution, a hidden layer."""
    body, channels = chain(channels, (Keep(partial(Grid, even_grid)), Conv(128)), units)
    hidden = units.scaled(1024)
    body.extend([nn.Flatten(), nn.Linear(16 * channels, hidden), chosen(units.activation, hidden)])
    return AuxiliaryHead(body.append(nn.Dropout(0.7)), hidden, num_classes)


KEYS: KeyMap = (
    (r"^conv1\.", "stem.0."),
    (r"^conv2\.", "stem.2."),
    (r"^conv3\.", "stem.3."),
    (r"^inception3a", "stages.0.1"),
    (r"^inception3b", "stages.0.2"),
    (r"^inception4a", "stages.1.1"),
    (r"^inception4b", "stages.2.0"),
    (r"^inception4c", "stages.2.1"),
    (r"^inception4d", "stages.2.2"),
    (r"^inception4e", "stages.3.0"),
    (r"^inception5a", "stages.4.1"),
    (r"^inception5b", "stages.4.2"),
    (r"\.branch1\.", ".0.0."),
    (r"\.branch2\.", ".1."),
    (r"\.branch3\.", ".2."),
    (r"\.branch4\.", ".3."),
    (r"^aux1\.", "auxiliary.0."),
    (r"^aux2\.", "auxiliary.1."),
    (r"^(auxiliary\.\d)\.conv\.", r"\1.body.1."),
    (r"^(auxiliary\.\d)\.fc1\.", r"\1.body.3."),
    (r"^(auxiliary\.\d)\.fc2\.", r"\1.head."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^fc\.", "head."),
)


@method(
    "googlenet",
    year=2014,
    paper="arXiv:1409.4842",
    aliases=("inception_v1",),
    topics=("classification", "vision"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 128, "epochs": 30},
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "table": (
            ((64, 96, 128, 64, 32, 32),),
            ((192, 96, 208, 64, 48, 64),),
            ((256, 160, 320, 64, 128, 128),),
        ),
        "width": 0.125,
    },
    figures={"parameters": 6_998_552, "multiply_adds": 1_582_671_872},
    variants={
        "googlenet_bn": {
            "batch_norm": True,
            "recipe": {
                "optimizer": "sgd",
                "optimizer.momentum": 0.9,
                "optimizer.weight_decay": 1e-4,
                "lr": 0.05,
                "schedule": "lr_cosine",
                "batch_size": 128,
                "epochs": 30,
            },
            "figures": {"parameters": 7_005_832, "multiply_adds": 1_582_671_872},
        },
        "googlenet_torchvision": {
            "batch_norm": True,
            "kernel": 3,
            "last_pool": 2,
            "even_grid": True,
            "dropout": 0.2,
            "recipe": {
                "optimizer": "sgd",
                "optimizer.momentum": 0.9,
                "optimizer.weight_decay": 1e-4,
                "lr": 0.05,
                "schedule": "lr_cosine",
                "batch_size": 128,
                "epochs": 30,
            },
            "figures": {"parameters": 6_624_904, "multiply_adds": 1_498_376_192},
        },
    },
)
class GoogLeNet(AbstractInception):
    r"""GoogLeNet: nine modules whose branches see 1×1, 3×3 and 5×5 pixels and a pooled map.

    Cheap 1×1 convolutions come before the wide ones and after the pooling; the branches' maps are
    concatenated. `table` has a row of channels for each module, by resolution (see `Row`); `width`
    multiplies all of them. `aux` adds the paper's two heads after modules 4a and 4d, which `forward_all`
    gives and whose losses count 0.3 in training; a stage ends where one may sit.

    The paper's network has biases and response normalisation. `googlenet_bn` has batch normalisation in
    their place; `googlenet_torchvision` besides the layout of trained weights: a `kernel` of 3×3 where the
    paper has 5×5, a `last_pool` of 2×2, heads that look at an even grid (`even_grid`).
    Small images (64 pixels and less) meet a 3×3 stem without pooling, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size from 8×8 fits.
    Errors: `UsageError` for smaller images, and for `aux` with fewer than four modules in the second row.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        table: Sequence[Sequence[Row]] = TABLE,
        width: float = 1.0,
        batch_norm: bool = False,
        kernel: int = 5,
        last_pool: int = 3,
        aux: bool = False,
        even_grid: bool = False,
        activation: Choice = "relu",
        dropout: float = 0.4,
    ):
        if input_size is not None and min(input_size) < LEAST:
            raise UsageError(
                f"googlenet needs images of at least {LEAST}x{LEAST}: enlarge those of {input_size}"
            )
        three, four, five = ([module(row, kernel) for row in rows] for rows in table)
        if aux and len(four) < 4:
            raise UsageError(
                f"its heads stand after modules 1 and 4 of only {len(four)} there: say aux=False"
            )
        last = Keep(partial(nn.MaxPool2d, last_pool, 2, ceil_mode=True))
        rows: tuple[Sequence[Layer], ...] = (
            [HALVED, *three],
            [HALVED, *four[:1]],
            four[1:4],
            four[4:],
            [last, *five],
        )
        units = Units(width, batch_norm, not batch_norm, activation=activation)
        head = partial(auxiliary_head, units=units, num_classes=num_classes, even_grid=even_grid)
        super().__init__(
            in_channels,
            stem(batch_norm, is_small(input_size)),
            [row for row in rows if row],
            units,
            num_classes,
            dropout,
            auxiliary={1: head, 2: head} if aux else None,
            auxiliary_weight=0.3,
        )
        keys = KEYS if aux else ((r"^aux\d\..*", ""), *KEYS)
        self.key_maps = {"torchvision": keys}  # type: ignore[misc]
