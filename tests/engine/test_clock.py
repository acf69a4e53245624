"""A kill costs no more than the seconds between checkpoints."""

from torchatlas.engine import clock as page
from torchatlas.engine.clock import Clock


class Time:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(page.time, "monotonic", lambda: self.now)


def lost_at_worst(monkeypatch, steps, writing, period):
    """The longest time from the state of one checkpoint to the end of writing the next."""
    time = Time(monkeypatch)
    clock, saved, worst = Clock(save_every=period), time.now, 0.0
    for seconds in steps:
        time.now += seconds
        clock.stepped()
        if clock.save_is_due:
            began = time.now
            time.now += writing
            clock.wrote(began)
            worst, saved = max(worst, time.now - saved), began
    return worst


def test_a_step_and_the_writing_fit_into_the_period(monkeypatch):
    assert 55 < lost_at_worst(monkeypatch, [1.0] * 500, 2.0, 60) <= 60
    assert 50 < lost_at_worst(monkeypatch, [0.1, 0.1, 4.0] * 100, 2.0, 60) <= 60
    assert lost_at_worst(monkeypatch, [1.0] * 9, 2.0, None) == 0


def test_the_budget_of_time_goes_on_over_pauses(monkeypatch):
    time = Time(monkeypatch)
    clock = Clock(minutes=1)
    time.now += 50
    clock.stepped()
    assert not clock.is_up and clock.elapsed == 50
    time.now += 1000
    clock.start()
    time.now += 10
    clock.stepped()
    assert clock.elapsed == 60 and clock.is_up and not Clock().is_up
