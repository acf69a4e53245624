"""Normalisation beside scikit-learn, SciPy and transformers: offsets, odd shapes, running statistics."""

import numpy as np
import torch
from diffusers.models.normalization import RMSNorm
from scipy.linalg import inv, sqrtm
from scipy.stats import zscore
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import MinMaxScaler, StandardScaler
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


def test_scaling_of_data(same):
    x = torch.randn(30, 4, dtype=torch.double).numpy() * [1, 5, 0.1, 3] + [0, 9, -4, 2]
    ours = create("minmax_norm")(x)
    same("minmax_norm", "sklearn.preprocessing.MinMaxScaler", ours, MinMaxScaler().fit_transform(x), 1e-13)
    same("standardization", "scipy.stats.zscore", create("standardization")(x), zscore(x), 1e-12)


def test_whitening(same):
    x = torch.randn(60, 4, dtype=torch.double) @ torch.randn(4, 4, dtype=torch.double) + 3
    theirs = PCA(whiten=True).fit(x.numpy()).transform(x.numpy()) * np.sqrt(60 / 59)  # it divides by n - 1
    ours = create("whitening", form="pca")(x)
    signs = torch.sign((ours * torch.from_numpy(theirs)).sum(0))
    same("whitening", "sklearn.decomposition.PCA", ours * signs, theirs, 1e-10)
    centred = (x - x.mean(0)).numpy()
    root = inv(sqrtm(centred.T @ centred / 60))
    same("whitening", "scipy.linalg.sqrtm", create("whitening")(x), centred @ root, 1e-10)


def test_weights(same):
    layer = torch.nn.Linear(6, 4).double()
    before = layer.weight.detach().clone()
    create("spectral_norm")(layer)
    for _ in range(300):
        layer.weight  # noqa: B018
    same("spectral_norm", "numpy.linalg.norm", layer.weight, before / np.linalg.norm(before.numpy(), 2), 1e-9)
    cosine, x = (
        create("cosine_norm", in_features=6, out_features=4).double(),
        torch.randn(5, 6, dtype=torch.double),
    )
    theirs = cosine_similarity(x.numpy(), cosine.weight.detach().numpy())
    same("cosine_norm", "sklearn.metrics.pairwise.cosine_similarity", cosine(x), theirs, 1e-12)


class Attending(torch.nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


def test_where_the_norm_stands(same):
    for name, first in (("pre_ln", True), ("post_ln", False)):
        theirs = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=first).double()
        feed = torch.nn.Sequential(theirs.linear1, torch.nn.ReLU(), theirs.linear2)
        parts = (Attending(theirs.self_attn), feed)
        ours = torch.nn.Sequential(*(create(name, branch=part, features=8) for part in parts)).double()
        x = torch.randn(3, 5, 8, dtype=torch.double) * 4
        same(name, "torch.nn.TransformerEncoderLayer", ours(x), theirs(x), 1e-12)


def test_statistics_of_other_kinds(same):
    x = maps(7, 5, 3, 2)
    rows = x.movedim(1, -1).reshape(-1, 5).numpy()
    for name, theirs in (
        ("l1_batch_norm", (rows - rows.mean(0)) / (np.abs(rows - rows.mean(0)).mean(0) + 1e-5)),
        ("generalized_batch_norm", (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)),
    ):
        options = {"deviation": "std"} if name == "generalized_batch_norm" else {}
        ours = create(name, num_features=5, **options).double()(x).movedim(1, -1).reshape(-1, 5)
        same(name, "numpy.mean", ours, theirs, 1e-12)
    plain, ours = (
        torch.nn.BatchNorm2d(5).double(),
        create("batch_renorm", num_features=5, momentum=0.1).double(),
    )
    same("batch_renorm", "torch.nn.BatchNorm2d", ours(x), plain(x), 1e-12)
    same("batch_renorm", "torch.nn.BatchNorm2d", ours.eval()(x), plain.eval()(x), 1e-12)
