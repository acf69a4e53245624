"""Single-layer networks: one affine map of the input, and the four classics that train it differently."""

from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


@method(
    "linear_regression",
    year=1805,
    paper="Legendre, Nouvelles méthodes pour la détermination des orbites des comètes",
    topics=("regression",),
    recipe={"optimizer": "adam", "lr": 0.03, "batch_size": 64, "epochs": 60},
    tiny={"in_features": 12, "num_classes": 2},
    figures={"parameters": 7850, "at": {"in_features": 784, "num_classes": 10}},
)
class LinearRegression(nn.Module):
    r"""Linear regression: values predicted by one affine map, $\hat y = xW + b$.

    Trained by descent like any network, or in closed form by `solve_`.
    Shapes: (batch, ...) with `in_features` numbers per sample -> (batch, num_classes); here `num_classes`
    counts the values to predict.
    """

    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    def __init__(self, in_features: int, num_classes: int = 1):
        super().__init__()
        self.head = nn.Linear(in_features, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        return self.head(self.forward_features(x))

    @torch.no_grad()
    def solve_(self, x: Tensor, y: Tensor) -> Self:
        """Set weights and bias to the least-squares solution for (n, d) inputs and (n, k) targets.

        Solved in double precision; where columns depend on each other it is the solution of least norm
        (of the centred problem, so that the bias is not made small too).
        """
        x, y = self.forward_features(x).double(), y.reshape(len(y), -1).double()
        x_mean, y_mean = x.mean(0), y.mean(0)
        weight = torch.linalg.lstsq((x - x_mean).cpu(), (y - y_mean).cpu(), driver="gelsd").solution  # (d, k)
        self.head.weight.copy_(weight.mT)
        self.head.bias.copy_(y_mean - x_mean @ weight.to(x_mean))
        return self


@method(
    "softmax_regression",
    year=1958,
    paper="Cox, The regression analysis of binary sequences, JRSS-B 20",
    aliases=("multinomial_logistic_regression",),
    topics=("classification",),
    recipe={"optimizer": "adam", "lr": 0.01, "batch_size": 64, "epochs": 30},
    tiny={"in_features": 12, "num_classes": 3},
    figures={"parameters": 7850, "at": {"in_features": 784, "num_classes": 10}},
)
class SoftmaxRegression(nn.Module):
    r"""Softmax regression: $p = \mathrm{softmax}(xW + b)$, one layer without hidden units.

    With cross entropy the gradient at the logits is $p - \mathrm{onehot}(y)$. Weights start at zero, so the
    first loss is the logarithm of the number of classes.
    Shapes: (batch, ...) with `in_features` numbers per sample -> logits (batch, num_classes).
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self, in_features: int, num_classes: int):
        super().__init__()
        self.head = nn.Linear(in_features, num_classes)
        _zero(self.head)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        return self.head(self.forward_features(x))


@method(
    "logistic_regression",
    year=1958,
    paper="Cox, The regression analysis of binary sequences, JRSS-B 20",
    topics=("classification",),
    recipe={"optimizer": "adam", "lr": 0.01, "batch_size": 64, "epochs": 60},
    tiny={"in_features": 12, "num_classes": 2},
    figures={"parameters": 785, "at": {"in_features": 784}},
)
class LogisticRegression(nn.Module):
    r"""Logistic regression for two classes: $p(1|x) = \sigma(s)$ with one score $s = w \cdot x + b$.

    The logits are $(0, s)$: their softmax is $(1 - \sigma(s), \sigma(s))$, and their cross entropy is the
    binary one. Softmax regression on two classes is the same with $w = w_1 - w_0$.
    Shapes: (batch, ...) with `in_features` numbers per sample -> logits (batch, 2).
    Errors: `UsageError` for more or fewer than two classes.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self, in_features: int, num_classes: int = 2):
        if num_classes != 2:
            raise UsageError(
                f"logistic_regression tells two classes apart, not {num_classes}: use softmax_regression"
            )
        super().__init__()
        self.head = nn.Linear(in_features, 1)
        _zero(self.head)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, 2)
        score = self.head(self.forward_features(x))  # (b, 1)
        return torch.cat([torch.zeros_like(score), score], 1)


@method(
    "perceptron",
    year=1958,
    paper="Rosenblatt, The perceptron, Psychological Review 65",
    topics=("classification",),
    recipe={"optimizer": "sgd", "lr": 1.0, "batch_size": 1, "epochs": 10, "loss": "perceptron_loss"},
    tiny={"in_features": 12, "num_classes": 3},
    figures={"parameters": 7850, "at": {"in_features": 784, "num_classes": 10}},
)
class Perceptron(nn.Module):
    r"""Perceptron: one linear score per class, corrected by the sample itself at each mistake.

    For each class, with labels $y = \pm 1$: if $y (w \cdot x + b) \le 0$, then $w \leftarrow w + \eta y x$
    and $b \leftarrow b + \eta y$. That is plain SGD, one sample at a time, on `perceptron_loss`. Weights
    start at zero, so the rate $\eta$ only scales them. On two classes of margin $\gamma$ and radius $R$
    there are at most $(R / \gamma)^2$ corrections (Novikoff 1962); without a margin they never end.
    The outputs are scores, not probabilities: use their order.
    Shapes: (batch, ...) with `in_features` numbers per sample -> scores (batch, num_classes).
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self, in_features: int, num_classes: int):
        super().__init__()
        self.head = nn.Linear(in_features, num_classes)
        _zero(self.head)

    def forward_features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        return self.head(self.forward_features(x))


def _zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
