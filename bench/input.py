"""Does decoding keep up? 100,000 JPEG files of 32x32 feed a network: `python -m bench input`.

Says the share of time in which the step waits for its batch, the images per second of the training and of
decoding alone with the same workers, the time to the first step, and the peak of memory early and late.
The files are made once, in the system's temporary folder.
"""

import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchatlas import data as sources
from torchatlas.cards.reader import find
from torchatlas.engine.learner import Learner
from torchatlas.study.training.inputs import prepare
from torchatlas.study.training.loops import make_loop
from torchatlas.study.training.resolve import resolve

FILES, CLASSES, SIDE, BATCH = 100_000, 10, 32, 128
EARLY, ALONE = 200, 200  # steps before the early look at memory; batches that are decoded without training


def make(folder: Path, files: int = FILES) -> None:
    """Random pictures, a sub-folder per class; whole from an earlier call, they stay."""
    done = folder / "done"
    if done.exists() and done.read_text() == str(files):
        return
    for number in range(CLASSES):
        (folder / "images" / f"class{number}").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_make_class, [folder] * CLASSES, range(CLASSES), [files] * CLASSES))
    done.write_text(str(files))


def _make_class(folder: Path, number: int, files: int) -> None:
    draw = np.random.default_rng(number)
    coarse = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    base = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE)), dtype=np.int16)
    for k in range(number, files, CLASSES):
        noisy = base + draw.integers(-60, 60, base.shape)
        picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        picture.save(folder / "images" / f"class{number}" / f"{k:06}.jpg", quality=90)


class Timed:
    """A source that notes how long it was waited for, and the peak of memory early on."""

    draws = False

    def __init__(self, source: Any):
        self.source, self.steps_per_epoch = source, source.steps_per_epoch
        self.waited = self.early = 0.0
        self.first = 0.0  # when the first batch was there

    def batch(self, step: int, turn: int, learner: Learner) -> Any:
        """The batch of the source, timed; the first, which starts the workers, is not waiting in training."""
        began = time.perf_counter()
        found = self.source.batch(step, turn, learner)
        now = time.perf_counter()
        if step:
            self.waited += now - began
        else:
            self.first = now
        if step == EARLY:
            self.early = peak()
        return found

    def state_dict(self) -> dict[str, Any]:
        """The source's."""
        found: dict[str, Any] = self.source.state_dict()
        return found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """To the source."""
        self.source.load_state_dict(state)


def peak() -> float:
    """The most memory that this process ever held, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def alone(part: sources.Part) -> float:
    """Images per second of decoding without training."""
    source = sources.Streamed(part, BATCH, seed=1)
    source.batch(0)
    began = time.perf_counter()
    count = sum(len(source.batch(step)[0]) for step in range(1, ALONE))
    rate = count / (time.perf_counter() - began)
    source.close()
    return rate


def measure(network: str = "lenet5", steps: int = 1500, files: int = FILES) -> list[str]:
    """What was seen, a line each."""
    folder = Path(tempfile.gettempdir()) / f"torchatlas-bench-input-{files}"
    make(folder, files)
    began = time.perf_counter()
    dataset = sources.open_dataset(folder / "images", stream=True)
    opened = time.perf_counter() - began
    settings = {"steps": steps, "batch_size": BATCH, "valid": 0.0, "test": 0.01}
    recipe, card = resolve(network, "folder", settings), find(network)
    prepared = prepare(recipe, card, dataset)
    rate = alone(prepared.train)
    loop = make_loop(recipe, prepared, card, None)
    streamed = loop.source
    loop.source = source = Timed(streamed)
    start = time.perf_counter()
    loop.run()
    seconds = time.perf_counter() - source.first
    streamed.close()  # type: ignore[attr-defined]
    waits = source.waited / seconds
    return [
        f"{network}, {len(prepared.train):,} of {len(dataset):,} files, batch {BATCH}, {steps} steps",
        f"waiting for batches: {waits:.1%} of the time",
        f"images per second: {BATCH * (steps - 1) / seconds:,.0f} trained, {rate:,.0f} decoded alone",
        f"opened in {opened:.1f} s, first batch after {source.first - start:.2f} s more",
        f"peak memory: {source.early:,.0f} MiB at step {EARLY}, {peak():,.0f} MiB at the last",
    ]


def main(words: list[str]) -> int:
    """Print the measurement of a network (`lenet5`), in so many steps (1500)."""
    network = words[0] if words else "lenet5"
    steps = int(words[1]) if len(words) > 1 else 1500
    for line in measure(network, steps):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
