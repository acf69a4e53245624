"""The clock of a run: when its time is up, and when the next checkpoint is due."""

import time


class Clock:
    """Seconds since a run began, pauses between its stretches left out.

    A checkpoint is due early enough that one more step and the writing fit into `save_every` seconds, so
    that a kill at any moment costs no more than those.
    """

    def __init__(self, minutes: float | None = None, save_every: float | None = None):
        self.minutes, self.save_every, self.elapsed = minutes, save_every, 0.0
        self.start()

    def start(self) -> None:
        """A stretch begins."""
        self.began = self.saved = self.step_began = time.monotonic()
        self.before, self.longest = self.elapsed, 0.0
        self.writing = (self.save_every or 0.0) / 4  # not known before the first

    def stepped(self) -> None:
        """A step is done."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.step_began)
        self.step_began, self.elapsed = now, self.before + now - self.began

    def wrote(self, began: float) -> None:
        """A checkpoint of the state at `began` is on disk."""
        now = time.monotonic()
        self.saved, self.writing, self.longest, self.step_began = began, now - began, 0.0, now

    @property
    def is_up(self) -> bool:
        """Whether the budget of time is used up."""
        return self.minutes is not None and self.elapsed >= 60 * self.minutes

    @property
    def save_is_due(self) -> bool:
        """Whether waiting for another step could lose more than was promised."""
        if self.save_every is None:
            return False
        return time.monotonic() - self.saved + self.longest + self.writing >= self.save_every
