import math

import numpy as np
import pytest

from torchatlas.study.report.plots import Mark
from torchatlas.study.report.returns import interquartile_mean, interval, return_curves, return_histogram
from torchatlas.study.report.svg import inline

DQN, OTHER = Mark(0, "dqn"), Mark(1, "other")


def lines(chart, gid):
    found = [line for line in chart.figure.axes[0].lines if line.get_gid() == gid]
    return [np.asarray(line.get_xydata()) for line in found]


def test_the_interquartile_mean_is_that_of_the_middle_half():
    values = np.array([1000.0, 1, 2, 3, 4, 5, 6, -1000])
    assert interquartile_mean(values) == (2 + 3 + 4 + 5) / 4
    assert interquartile_mean(np.append(values, math.nan)) == 3.5
    assert math.isnan(interquartile_mean(np.array([])))


def test_the_interval_covers_the_truth_and_redraws_runs():
    draw, covered = np.random.default_rng(0), 0
    for _ in range(20):
        low, high = interval(draw.normal(draw.normal(size=(12, 1)), 0.1, (12, 20)), seed=1)
        covered += low <= 0 <= high
    assert covered >= 15  # runs that differ more than episodes: redrawing episodes alone would miss it
    assert interval(np.full((2, 9), 5.0)) == (5, 5)


def test_a_curve_is_the_interquartile_mean_over_seeds():
    steps = np.arange(1.0, 11)
    seeds = [np.linspace(0, 100, 10) + shift for shift in (0.0, 1, 2, 900)]
    chart = return_curves([(DQN, [(steps, values) for values in seeds]), (OTHER, [])])
    (curve,) = lines(chart, "s0-curve")
    assert curve[:, 0] == pytest.approx(steps)
    assert curve[:, 1] == pytest.approx((seeds[1] + seeds[2]) / 2)
    assert not lines(chart, "s1-curve")
    assert "return (validation) by step" in inline(chart)


def test_a_run_that_stopped_is_held_and_gaps_are_left_out():
    short = (np.array([1.0, 2, 3]), np.array([1.0, math.nan, 3]))
    long = (np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 9]))
    (curve,) = lines(return_curves([(DQN, [short, long])]), "s0-curve")
    assert curve[:, 1] == pytest.approx([1, 2, 3, 6])


def test_the_histogram_counts_every_episode():
    returns = np.array([500.0] * 90 + [100.0] * 9 + [math.nan])
    chart = return_histogram([(DQN, returns), (OTHER, np.array([]))])
    (bars,) = chart.figure.axes[0].patches
    counts, edges, _ = bars.get_data()
    assert counts.sum() == 99 and counts[0] == 9 and counts[-1] == 90
    assert (edges[0], edges[-1]) == (100, 500)
    (middle,) = lines(chart, "s0-middle")
    assert middle[:, 0].tolist() == [500, 500]
    assert chart.titles["s0-middle"] == "dqn: 500 over 99 episodes"
    assert "dqn: 500" in inline(chart)
    assert inline(return_histogram([(DQN, np.full(3, 500.0))]))
