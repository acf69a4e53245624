"""Normalisation of data before any network: each feature over the samples."""

import torch
from torch import Tensor

from ...cards.card import borrowed, method
from ...engine.errors import UsageError

borrowed(
    "minmax_norm",
    "sklearn.preprocessing:minmax_scale",
    "Min-max normalisation: each feature moved and stretched to 0..1",
    kind="tool",
    formula="(x - min) / (max - min) of each feature over the samples, then to feature_range; "
    "sklearn.preprocessing.MinMaxScaler remembers both for other samples",
    year=1990,
)

borrowed(
    "standardization",
    "sklearn.preprocessing:scale",
    "Standardisation: each feature brought to mean 0 and variance 1",
    kind="tool",
    formula="(x - μ) / σ of each feature over the samples, with the divisor n in σ; "
    "sklearn.preprocessing.StandardScaler remembers both for other samples",
    year=1990,
    aliases=("z_score",),
)


@method("whitening", kind="tool", year=2015, paper="arXiv:1512.00809")
def whiten(x: Tensor, form: str = "zca") -> Tensor:  # (n, d) -> (n, d)
    r"""Whitening: features without correlation and of variance 1, $\Sigma^{-1/2} (x - \mu)$.

    Σ is the covariance of the features over the samples, with the divisor n. form: "zca" stays as near to
    the data as possible; "pca" turns it to the principal axes, the widest first. Directions in which the
    samples do not vary stay zero, so that noise is not blown up. Shapes: (samples, features) -> the same.
    Raises UsageError for other forms and shapes.
    """
    if x.ndim != 2 or not x.numel() or form not in ("zca", "pca"):
        told = f"{tuple(x.shape)} and {form!r}"
        raise UsageError(f"whiten takes one or more (samples, features), and zca or pca; got {told}")
    rows, spreads, axes = torch.linalg.svd(x - x.mean(0), full_matrices=False)  # (n, k), (k,), (k, d)
    least = torch.finfo(x.dtype).eps * max(x.shape) * spreads.amax(0, keepdim=True)
    scores = torch.where(spreads > least, rows, 0) * len(x) ** 0.5
    if form == "zca":
        return scores @ axes
    return torch.nn.functional.pad(scores, (0, x.shape[1] - scores.shape[1]))
