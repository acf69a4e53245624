"""Networks that read text, beside transformers, PyTorch and formulas: weights copied, outputs compared."""

import numpy as np
import torch
from diffusers.models.embeddings import get_timestep_embedding
from scipy.special import expit
from torch import nn
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

from torchatlas import create

NAMES = {  # of a block: ours, transformers', PyTorch's
    "attention.inward": ("attn.c_attn", "self_attn.in_proj_"),
    "attention.outward": ("attn.c_proj", "self_attn.out_proj."),
    "feed.0": ("mlp.c_fc", "linear1."),
    "feed.2": ("mlp.c_proj", "linear2."),
    "norm1": ("ln_1", "norm1."),
    "norm2": ("ln_2", "norm2."),
}


def shaken(network):
    """Biases and norms away from their zeros and ones, so that a swapped one is seen."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return network.eval()


def renamed(ours, peer, prefix, ending="."):
    """Our blocks' weights under a peer's names; transformers' Conv1D has its matrices transposed."""
    state = {}
    for k in range(len(ours.blocks)):
        for name, names in NAMES.items():
            for part in ("weight", "bias"):
                value = ours.get_parameter(f"blocks.{k}.{name}.{part}")
                turned = peer == 0 and value.ndim == 2
                state[f"{prefix}{k}.{names[peer]}{ending}{part}"] = value.T if turned else value
    return state


def test_gpt(same):
    ours = shaken(create("gpt", num_classes=50, context=40, width=24, layers=3, heads=4))
    config = OpenAIGPTConfig(vocab_size=50, n_positions=40, n_embd=24, n_layer=3, n_head=4)
    peer = OpenAIGPTLMHeadModel(config).eval()
    state = renamed(ours, 0, "transformer.h.")
    state["transformer.tokens_embed.weight"] = state["lm_head.weight"] = ours.embedding.weight
    state["transformer.positions_embed.weight"] = ours.positions.weight
    missing = peer.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all("weight" not in key for key in missing.missing_keys)
    ids = torch.randint(50, (3, 37))
    with torch.no_grad():
        same("gpt", "transformers.OpenAIGPTLMHeadModel", ours(ids), peer(ids).logits, 1e-5)
    mine, theirs = (loss_gradient(net, ids) for net in (ours, lambda x: peer(x).logits))
    for a, b in ((mine, theirs),):
        same(
            "gpt",
            "transformers.OpenAIGPTLMHeadModel",
            a(ours.positions.weight),
            b(peer.transformer.positions_embed.weight),
            1e-5,
        )


def loss_gradient(network, ids):
    """The gradient of the loss by a weight."""

    def by(weight):
        loss = nn.functional.cross_entropy(network(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        return torch.autograd.grad(loss, weight)[0]

    return by


def test_transformer_lm(same):
    ours = shaken(create("transformer_lm", num_classes=30, context=20, width=24, layers=2, heads=3)).double()
    layer = nn.TransformerEncoderLayer(24, 3, 96, activation="relu", batch_first=True, dtype=torch.double)
    peer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    peer.load_state_dict(renamed(ours, 1, "layers.", ""))
    ids = torch.randint(30, (3, 17))
    waves = get_timestep_embedding(torch.arange(17.0), 24, downscale_freq_shift=0)
    order = torch.arange(24).view(2, 12).T.flatten()  # theirs: all sines first; ours: sine and cosine in turn
    same(
        "transformer_lm",
        "diffusers.models.embeddings.get_timestep_embedding",
        ours.positions.table[:17],
        waves[:, order],
        1e-5,
    )
    with torch.no_grad():
        x = ours.embedding(ids) * 24**0.5 + ours.positions.table[:17]
        mask = nn.Transformer.generate_square_subsequent_mask(17, dtype=torch.double)
        theirs = peer(x, mask) @ ours.embedding.weight.T
        same("transformer_lm", "torch.nn.TransformerEncoder", ours(ids), theirs, 1e-12)


def test_lstm(same):
    """Step by step in NumPy, two layers, gates in the order i, f, c, o."""
    ours = shaken(create("lstm", num_classes=9, width=6, layers=2)).double()
    ids = torch.randint(9, (4, 13))
    state = {name: value.numpy() for name, value in ours.state_dict().items()}
    x = state["embedding.weight"][ids.numpy()]
    for layer in range(2):
        w, u, b, c = (
            state[f"cells.{kind}_l{layer}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h, cell, out = np.zeros((4, 6)), np.zeros((4, 6)), []
        for t in range(13):
            i, f, g, o = np.split(x[:, t] @ w.T + h @ u.T + b + c, 4, 1)
            cell = expit(f) * cell + expit(i) * np.tanh(g)
            h = expit(o) * np.tanh(cell)
            out.append(h)
        x = np.stack(out, 1)
    theirs = x @ state["head.weight"].T + state["head.bias"]
    same("lstm", "formula (Gers 2000, in NumPy and scipy.special.expit)", ours(ids), theirs, 1e-12)
