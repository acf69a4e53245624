"""Counted randomness: a function of its key, so a resumed run draws what the whole run would."""

import hashlib

import torch


def key_seed(*key: object) -> int:
    """A 64-bit seed from any key; a hash, because packed keys collide in generators that keep 32 bits."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def reseed(device: torch.device | str, *key: object) -> None:
    """Seed the default generators of the CPU and of `device` from a key.

    The CPU's Mersenne twister reads the low 32 bits alone, hence the fold.
    """
    seed = key_seed(*key)
    torch.default_generator.manual_seed((seed ^ seed >> 32) & 0xFFFFFFFF)
    device = torch.device(device)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed & 0xFFFFFFFF)


def generator(*key: object) -> torch.Generator:
    """A CPU generator of its own, seeded from a key."""
    seed = key_seed(*key)
    return torch.Generator().manual_seed((seed ^ seed >> 32) & 0xFFFFFFFF)
