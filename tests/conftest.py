import os
import random
import sys

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the first import of torch: workers share the cores
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn leaves a check of estimators out without it


@pytest.fixture(autouse=True)
def same_randomness_alone_and_in_the_suite() -> None:
    """A test that draws from a global generator gets the same numbers whatever ran before it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
