"""Networks of fully connected layers."""

from .linear import (
    LinearRegression as LinearRegression,
    LogisticRegression as LogisticRegression,
    Perceptron as Perceptron,
    SoftmaxRegression as SoftmaxRegression,
)
from .mlp import MLP as MLP
