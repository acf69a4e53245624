"""A pool of earlier samples, so that a critic does not forget what generators used to make."""

import torch
from torch import Tensor, nn


class SamplePool(nn.Module):
    """Up to `size` generated samples; half of those that a critic sees come from here.

    While there is room, a new sample is kept and passed on. Then, by a coin, it is passed on and not kept, or
    takes the place of a random sample of the pool, which is passed on in its stead. A batch goes through one
    by one. `swapped` leaves the pool as it is and remembers what becomes of it; `commit` makes it so.
    """

    samples: Tensor
    held: Tensor
    next_samples: Tensor
    next_held: Tensor

    def __init__(self, shape: tuple[int, ...], size: int = 50):
        super().__init__()
        for name in ("samples", "next_samples"):
            self.register_buffer(name, torch.zeros(size, *shape))
        for name in ("held", "next_held"):
            self.register_buffer(name, torch.tensor(0))

    @torch.no_grad()
    def swapped(self, new: Tensor) -> Tensor:  # (b, *shape) -> (b, *shape)
        """What the critic sees of new samples; coins and places come from the default generator."""
        passed = torch.rand(len(new), device=new.device) < 0.5
        places = torch.randint(len(self.samples), (len(new),), device=new.device)
        return self.exchange(new, passed, places)

    def exchange(self, new: Tensor, passed: Tensor, places: Tensor) -> Tensor:
        """`swapped` with the coins (b,) and the places in the pool (b,) given."""
        size, row = len(self.samples), torch.arange(len(new), device=new.device)
        slot = torch.arange(size, device=new.device)
        filling = self.held + row < size
        places = torch.where(filling, self.held + row, places)
        kept = filling | ~passed
        same = kept & (places[:, None] == places)  # (i, j): sample j is kept where sample i goes
        before = torch.where(same & (row < row[:, None]), row, -1).amax(
            1
        )  # the last before i that is kept there
        last = torch.where(kept & (slot[:, None] == places), row, -1).amax(1)  # (size,): the last of all
        everything = torch.cat([self.samples, new])
        old = torch.where(before < 0, places, size + before)
        given = everything[torch.where(kept & ~filling, old, size + row)]
        self.next_samples.copy_(everything[torch.where(last < 0, slot, size + last)])
        self.next_held.copy_((self.held + len(new)).clamp_max(size))
        return given

    def commit(self) -> None:
        """Take up what the last `swapped` remembered."""
        self.samples.copy_(self.next_samples)
        self.held.copy_(self.next_held)
