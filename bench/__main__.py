"""`make bench`: every measurement, one line each. `python -m bench mutations`: does the proof prove?"""

import platform
import sys

import torch

from bench import loop, mutations

if sys.argv[1:2] == ["mutations"]:
    sys.exit(mutations.main(sys.argv[2:]))
print(f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads")
for ratio in loop.measure():
    print(ratio)
print(f"checkpoint of the 784-100-10 MLP with Adam: {1000 * loop.checkpoint_seconds():.1f} ms")
