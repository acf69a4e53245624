"""Complex-order embedding: a word's vector turns as its place moves on."""

import torch
from torch import Tensor, nn

from ...cards.card import method


@method(
    "complex_pe",
    year=2019,
    paper="arXiv:1912.12333",
    aliases=("complex_order",),
    topics=("language",),
    tiny={"num_embeddings": 9, "width": 6},
)
class ComplexOrderEmbedding(nn.Module):
    r"""Complex-order embedding: word j at place k is $r_j e^{i(\omega_j k + \theta_j)}$, all of it learned.

    Amplitude r, speed ω and phase θ are vectors of each word; the size of a number is $|r|$ wherever the
    word stands, and n places on it is turned by $\omega n$. It is the embedding itself: forward(ids) ->
    complex numbers, which a complex network takes, or a real one as their real and imaginary parts.
    Shapes: ids (batch, length) -> (batch, length, width), complex. Raises IndexError for ids beyond the
    table.
    """

    def __init__(self, num_embeddings: int, width: int):
        super().__init__()
        self.amplitude = nn.Embedding(num_embeddings, width)
        self.speed, self.phase = nn.Embedding(num_embeddings, width), nn.Embedding(num_embeddings, width)
        nn.init.uniform_(self.phase.weight, -torch.pi, torch.pi)

    def forward(self, ids: Tensor) -> Tensor:  # (b, n) -> (b, n, d)
        r, speed, phase = self.amplitude(ids), self.speed(ids), self.phase(ids)
        places = torch.arange(ids.shape[1], dtype=speed.dtype, device=ids.device)[:, None]
        angle = speed * places + phase
        return torch.complex(r * angle.cos(), r * angle.sin())
