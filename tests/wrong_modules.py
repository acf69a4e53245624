"""Modules that are wrong in one way each: what laws must catch."""

import torch
from torch import nn
from torch.autograd import Function


class Doubled(Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return x.tanh() * scale

    @staticmethod
    def backward(ctx, gradient):
        x, scale = ctx.saved_tensors
        return gradient * scale * (1 - x.tanh() ** 2), (2 * gradient * x.tanh()).sum()


class WrongByItsParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x):
        return Doubled.apply(x, self.scale)


class Once(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (1 - x.tanh() ** 2).detach()


class NoSecondGradient(nn.Module):
    def forward(self, x):
        return Once.apply(x)


class Reads(nn.Module):
    def forward(self, x):
        return x.tanh() if float(x.detach().sum()) > 0 else x.tanh() + 0
