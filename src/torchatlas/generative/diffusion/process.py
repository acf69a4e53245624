r"""The forward process: noise added to data step by step.

$q(x_t | x_{t-1}) = N(\sqrt{1 - \beta_t}\, x_{t-1}, \beta_t I)$, and so $q(x_t | x_0)$ is normal too.
Times count from 0, as in code: `t = 0` is the paper's $x_1$, the data after one step.
"""

import torch
from torch import Tensor, nn

USUAL_STEPS = 1000


def linear_betas(timesteps: int = USUAL_STEPS, first: float = 1e-4, last: float = 0.02) -> Tensor:  # -> (T,)
    """Variances that grow evenly; for other than 1000 steps scaled, so that as much noise is added in all."""
    scale = USUAL_STEPS / timesteps
    betas = torch.linspace(scale * first, scale * last, timesteps, dtype=torch.double, device="cpu")
    return betas.clamp(max=0.999)


class Noising(nn.Module):
    r"""Gaussian noise in T steps of variances $\beta_t$; $\bar\alpha_t = \prod_{s \le t} (1 - \beta_s)$.

    `signal` and `spread` are the mean's factor and the standard deviation of $q(x_t | x_0)$; what is derived
    from the variances is computed in double precision.
    """

    betas: Tensor
    alpha_bars: Tensor
    signal: Tensor
    spread: Tensor
    posterior_variances: Tensor
    from_data: Tensor
    from_now: Tensor

    def __init__(self, betas: Tensor, dtype: torch.dtype = torch.float32):  # (T,)
        super().__init__()
        betas = betas.double()
        alpha_bars = (1 - betas).cumprod(0)
        before = torch.cat([alpha_bars.new_ones(1), alpha_bars[:-1]])
        tables = {
            "betas": betas,
            "alpha_bars": alpha_bars,
            "signal": alpha_bars.sqrt(),
            "spread": (1 - alpha_bars).sqrt(),
            "posterior_variances": betas * (1 - before) / (1 - alpha_bars),
            "from_data": before.sqrt() * betas / (1 - alpha_bars),
            "from_now": (1 - betas).sqrt() * (1 - before) / (1 - alpha_bars),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.to(dtype), persistent=False)

    def __len__(self) -> int:
        return len(self.betas)

    def noised(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        r"""$x_t = \sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon$: t steps at once."""
        return at(self.signal, t, x) * x + at(self.spread, t, x) * noise

    def clean(self, now: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The data that, with this noise in it, is x_t: `noised` solved for x_0."""
        return (now - at(self.spread, t, now) * noise) / at(self.signal, t, now)

    def posterior_mean(self, x: Tensor, now: Tensor, t: Tensor) -> Tensor:
        r"""The mean of $q(x_{t-1} | x_t, x_0)$; `posterior_variances[t]` is its variance, 0 at the first."""
        return at(self.from_data, t, x) * x + at(self.from_now, t, x) * now


def at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:  # (T,), (b,) -> (b, 1, ...)
    """A table's values at each sample's time, with as many axes as the samples have."""
    return table[t].to(like.dtype).view(-1, *(1,) * (like.ndim - 1))
