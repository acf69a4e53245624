import hashlib

import torch

from torchatlas.engine.randomness import generator, key_seed, reseed


def test_a_seed_is_the_hash_of_its_key():
    digest = hashlib.blake2b(b"(1, 2, 'noise')", digest_size=8).digest()
    assert key_seed(1, 2, "noise") == int.from_bytes(digest, "little")


def test_keys_that_share_their_low_bits_draw_differently():
    draws = set()
    for key in [(0, 0), (0, 1), (1, 0), (2**32, 0), (0, 2**32), (1, 2**32), ("0", 0)]:
        reseed("cpu", *key)
        draws.add(torch.rand(()).item())
    assert len(draws) == 7


def test_noise_depends_on_its_key_alone():
    reseed("cpu", 3, "a")
    first = torch.randn(5)
    torch.rand(99)
    reseed("cpu", 3, "a")
    assert torch.equal(torch.randn(5), first)
    assert torch.equal(torch.randperm(9, generator=generator(1)), torch.randperm(9, generator=generator(1)))
