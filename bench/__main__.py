"""`make bench`: the loop and its checkpoints, one line each. `python -m bench NAME`: another measurement."""

import platform
import sys
from importlib import import_module

import torch

from bench import loop

OTHERS = {
    "adder": "the adder convolution against the broadcast of all differences, in time and in memory",
    "activations": "each activation beside its plain formula, compiled",
    "mutations": "does the proof prove?",
    "losses": "losses of classification beside cross entropy, and beside themselves compiled",
    "numerics": "the grid of numerics, what auto chose, and the quality of it",
    "together": "many seeds at once against one after another",
    "boxes": "suppression of boxes, and metrics of many pixels",
    "images": "networks of images beside timm's and torchvision's",
    "input": "an image folder of 100,000 files: does the step wait?",
    "optimizers": "a step of each beside the bytes that it must move",
}

if sys.argv[1:2] and sys.argv[1] in OTHERS:
    sys.exit(import_module(f"bench.{sys.argv[1]}").main(sys.argv[2:]))
if sys.argv[1:]:
    sys.exit("python -m bench, or: " + "; ".join(f"python -m bench {k} ({v})" for k, v in OTHERS.items()))
print(f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads")
for ratio in loop.measure():
    print(ratio)
print(f"checkpoint of the 784-100-10 MLP with Adam: {1000 * loop.checkpoint_seconds():.1f} ms")
