"""`make bench`: every measurement, one line each."""

import platform

import torch

from bench import loop

print(f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads")
for ratio in loop.measure():
    print(ratio)
print(f"checkpoint of the 784-100-10 MLP with Adam: {1000 * loop.checkpoint_seconds():.1f} ms")
