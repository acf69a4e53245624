"""Conv-4: four small blocks, the usual network of few-shot learning."""

from torch import Tensor, nn

from ...cards.card import method

BLOCKS = 4


@method(
    "conv4",
    year=2016,
    paper="arXiv:1606.04080",
    aliases=("conv_4",),
    topics=("classification", "vision", "few-shot"),
    recipe={"optimizer": "adam", "lr": 0.001, "schedule": "lr_cosine", "batch_size": 64, "epochs": 30},
    tiny={"num_classes": 3, "input_size": (16, 16), "width": 8},
    figures={
        "parameters": 32_901,
        "at": {"num_classes": 5, "in_channels": 3, "input_size": (84, 84), "width": 32},
    },
)
class Conv4(nn.Module):
    """Conv-4: four times 3×3 convolution, batch normalisation, ReLU and max pooling 2×2; then an affine map.

    `width` is the number of maps: 64 in Matching and Prototypical Networks, 32 in MAML on miniImageNet. With
    `num_classes=0` there is no affine map: the features are the output: 64 numbers of a 28×28 image. A
    map of one pixel is pooled no further, so that any size of image fits.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes), or the features.
    """

    def __init__(
        self,
        num_classes: int = 5,
        in_channels: int = 1,
        input_size: tuple[int, int] = (28, 28),
        width: int = 64,
    ):
        super().__init__()
        blocks, (rows, columns) = [], input_size
        for k in range(BLOCKS):
            step = (min(rows, 2), min(columns, 2))
            conv = nn.Conv2d(width if k else in_channels, width, 3, padding=1)
            blocks += [conv, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(step)]
            rows, columns = rows // step[0], columns // step[1]
        self.body = nn.Sequential(*blocks, nn.Flatten())
        features = width * rows * columns
        self.head = nn.Linear(features, num_classes) if num_classes else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, features)
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        return self.head(self.forward_features(x))
