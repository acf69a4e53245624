"""Normalisation beside scikit-learn, SciPy and transformers: offsets, odd shapes, running statistics."""

import numpy as np
import torch
from diffusers.models.normalization import RMSNorm
from scipy.stats import zscore
from sklearn.preprocessing import StandardScaler
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from torchatlas import create


def maps(*shape):
    """Channels of different means and spreads."""
    x = torch.randn(*shape, dtype=torch.double)
    return x * torch.arange(1, shape[1] + 1).view(-1, *[1] * (len(shape) - 2)) + 30


def test_batch_norm(same):
    x = maps(7, 5, 3, 2)
    rows = x.movedim(1, -1).reshape(-1, 5).numpy()
    norm = create("batch_norm", num_features=5, eps=1e-14).double()
    ours = norm(x).movedim(1, -1).reshape(-1, 5)
    scaler = StandardScaler().fit(rows)
    same("batch_norm", "sklearn.preprocessing.StandardScaler", ours, scaler.transform(rows), 1e-12)
    same("batch_norm", "numpy.var", norm.running_var, 0.9 + 0.1 * rows.var(0, ddof=1), 1e-12)
    same("batch_norm", "numpy.mean", norm.running_mean, 0.1 * rows.mean(0), 1e-12)
    still = norm.eval()(x).detach()
    theirs = (x - norm.running_mean.view(-1, 1, 1)) / norm.running_var.view(-1, 1, 1).sqrt()
    same("batch_norm", "formula (arXiv:1502.03167, algorithm 2)", still, theirs, 1e-12)
    synced = create("sync_batch_norm", num_features=5, eps=1e-14).double().eval()
    synced.load_state_dict(norm.state_dict())
    same("sync_batch_norm", "torch.nn.BatchNorm2d", synced(x), still, 1e-14)


def test_layer_instance_and_group_norm(same):
    x = maps(3, 6, 5, 4)
    with torch.no_grad():
        layer = create("layer_norm", normalized_shape=(5, 4), eps=0.0).double()(x)
        instance = create("instance_norm", num_features=6, eps=0.0)(x)
        group = create("group_norm", num_groups=2, num_channels=6, eps=0.0).double()(x)
    flat = x.reshape(3, 6, -1).numpy()
    same("layer_norm", "scipy.stats.zscore", layer, zscore(flat, axis=2).reshape(x.shape), 1e-12)
    same("instance_norm", "scipy.stats.zscore", instance, zscore(flat, axis=2).reshape(x.shape), 1e-12)
    theirs = zscore(x.reshape(3, 2, -1).numpy(), axis=2).reshape(x.shape)
    same("group_norm", "scipy.stats.zscore", group, theirs, 1e-12)


def test_rms_norm(same):
    x, weight = torch.randn(4, 3, 10) * 5, torch.randn(10)
    ours = create("rms_norm", normalized_shape=10, eps=1e-6)
    peers = {
        "transformers.models.llama.modeling_llama.LlamaRMSNorm": LlamaRMSNorm(10, 1e-6),
        "diffusers.models.normalization.RMSNorm": RMSNorm(10, 1e-6),
    }
    for name, peer in peers.items():
        for module in (ours, peer):
            module.weight.data.copy_(weight)
        same("rms_norm", name, ours(x), peer(x), 1e-6)


def test_local_response(same):
    x = torch.randn(2, 7, 3, 3, dtype=torch.double) * 20
    ours = create("lrn", size=5, alpha=5e-2, beta=0.75, k=2.0)(x)
    a, theirs = x.numpy(), np.empty(x.shape)
    for c in range(7):
        near = a[:, max(0, c - 2) : c + 3] ** 2
        theirs[:, c] = a[:, c] / (2 + 5e-2 / 5 * near.sum(1)) ** 0.75
    same("lrn", "formula (Krizhevsky 2012, α/n)", ours, theirs, 1e-12)
