import math
import statistics as plain

import numpy as np
import pytest
from scipy import stats

from torchatlas.engine.errors import UsageError
from torchatlas.study.verdict.statistics import (
    BOOTSTRAP,
    NO_TEST,
    RESAMPLED,
    SEEDS_ONLY,
    compare_all,
    corrected_resampled_t,
    holm,
    paired_bootstrap,
)

NAN = math.nan
T_975_4 = 2.7764451  # Student's 97.5 % point at 4 degrees of freedom, from the usual table
LENET = [0.985, 0.987, 0.983, 0.988, 0.984]
MLP = [0.973, 0.975, 0.972, 0.974, 0.971]
SOFTMAX = [0.968, 0.972, 0.965, 0.975, 0.971]


def verdict(scores, **options):
    given = {"n_train": 1000, "n_test": 250, "redrawn": True, "metric": "accuracy"} | options
    return compare_all(scores, **given)


def test_corrected_t_is_the_papers_formula():
    d = [0.01, 0.03, 0.02, 0.04, 0.00]
    mean, low, high, p = corrected_resampled_t(d, 0.25)
    error = math.sqrt((1 / 5 + 0.25) * plain.variance(d))
    assert mean == pytest.approx(0.02)
    assert (low, high) == pytest.approx((0.02 - T_975_4 * error, 0.02 + T_975_4 * error), rel=1e-6)
    # at 4 degrees of freedom Student's distribution function has a closed form
    t = 0.02 / error
    x = t / math.sqrt(4 + t * t)
    assert p == pytest.approx(1 - 1.5 * x + 0.5 * x**3, rel=1e-9)


def test_without_a_share_it_is_the_paired_t_test():
    d = [0.4, -0.1, 0.3, 0.2]
    found = stats.ttest_1samp(d, 0.0)
    assert corrected_resampled_t(d, 0.0).p == pytest.approx(found.pvalue)


def drawn_variance(d, rng, draws=20_000):
    """The variance of the mean of resampled rows and columns, by drawing them."""
    k, n = d.shape
    rows = rng.multinomial(k, np.full(k, 1 / k), draws) / k
    columns = rng.multinomial(n, np.full(n, 1 / n), draws) / n
    return np.einsum("bs,si,bi->b", rows, d, columns).var()


def test_bootstrap_is_what_drawing_gives_in_large_samples():
    rng = np.random.default_rng(0)
    d = rng.normal(0.1, 1, (40, 1)) + rng.normal(0, 1, (1, 60)) + rng.normal(0, 0.5, (40, 60))
    found = paired_bootstrap(d)
    drawn = 1.96 * math.sqrt(drawn_variance(d, rng))
    assert found.mean == pytest.approx(d.mean())
    assert (found.high - found.low) / 2 == pytest.approx(drawn, rel=0.06)


def test_bootstrap_is_wider_than_its_percentiles_with_five_seeds():
    rng = np.random.default_rng(0)
    d = rng.normal(0, 1, (5, 1)) + rng.normal(0, 0.1, (1, 60))
    found = paired_bootstrap(d)
    percentile = 1.96 * math.sqrt(drawn_variance(d, rng))
    assert (found.high - found.low) / 2 == pytest.approx(
        T_975_4 / 1.96 * math.sqrt(5 / 4) * percentile, rel=0.05
    )


def test_bootstrap_by_hand():
    found = paired_bootstrap([[0.0, 1.0], [4.0, 5.0], [8.0, 10.0]])
    by_seed = plain.variance([0.5, 4.5, 9.0]) / 3
    by_sample = plain.variance([4.0, 16 / 3]) / 2
    rest = (4 * (1 / 6) ** 2 + 2 * (1 / 3) ** 2) / (2 * 1 * 3 * 2)
    half = math.sqrt(4.302653**2 * by_seed + 12.706205**2 * (by_sample - rest))  # t at 2 and at 1
    assert found.mean == pytest.approx(14 / 3)
    assert found.high - found.mean == pytest.approx(half, rel=1e-6)


def test_bootstrap_where_only_seeds_or_only_samples_vary_is_the_t_test():
    d = np.array([0.4, -0.1, 0.3, 0.2, 0.35])
    expected = stats.ttest_1samp(d, 0.0).pvalue
    assert paired_bootstrap(np.tile(d[:, None], 7)).p == pytest.approx(expected)
    assert paired_bootstrap(np.tile(d, (7, 1))).p == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.4, 0.6, 0.8, 50.0])
def test_bootstrap_p_and_interval_agree(shift):
    rng = np.random.default_rng(3)
    found = paired_bootstrap(shift + rng.normal(0, 0.3, (5, 1)) + rng.normal(0, 1, (1, 50)))
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize("shape", [(5,), (2, 2, 2)])
def test_bootstrap_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="seeds, samples"):
        paired_bootstrap(np.zeros(shape))


def test_holm_by_hand():
    # sorted 0.01 0.02 0.03 0.04 -> times 4 3 2 1 -> 0.04 0.06 0.06 (not 0.04) -> monotone 0.04 0.06 0.06 0.06
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])


def test_holm_leaves_out_what_has_no_p():
    assert holm([0.02, NAN, 0.01]) == pytest.approx([0.02, NAN, 0.02], nan_ok=True)
    assert holm([]).size == 0


def test_verdict_over_redrawn_splits():
    v = verdict({"softmax_regression": SOFTMAX, "lenet5": LENET, "mlp": MLP})
    assert [m.name for m in v.methods] == ["lenet5", "mlp", "softmax_regression"]
    assert (v.test, v.best, v.clear) == (RESAMPLED, "lenet5", True)
    pair = v.pair("lenet5", "mlp")
    assert pair.difference == pytest.approx(0.0124)
    raw = [q.p for q in v.pairs]
    assert [q.p_holm for q in v.pairs] == pytest.approx(list(holm(raw)))
    assert v.pair("mlp", "lenet5").high == -pair.low
    error = math.sqrt((1 / 5 + 0.25) * plain.variance(LENET))
    best = v.method("lenet5")
    assert best.high - best.mean == pytest.approx(T_975_4 * error, rel=1e-6)
    assert v.sentence == (
        "lenet5 is best: 0.985 accuracy, 1.2 points above mlp (95 % interval 1.0 to 1.5). "
        "No difference shown between mlp and softmax_regression."
    )


def test_verdict_where_lower_is_better():
    v = verdict(
        {"a": [55, 56.2, 53.3, 54.9, 52.8], "b": [51.2, 53, 50.1, 52, 49]},
        metric="rmse",
        higher_is_better=False,
    )
    assert v.best == "b"
    assert v.sentence == "b is best: 51.06 RMSE, 3.38 below a (95 % interval 2.63 to 4.13)."


def test_no_claim_where_chance_suffices():
    v = verdict({"a": LENET, "b": [0.984, 0.986, 0.984, 0.986, 0.984]})
    assert not v.clear
    assert v.sentence == (
        "a leads with 0.985 accuracy, but no difference shown between it and b (0.06 points, "
        "95 % interval −0.2 to 0.3)."
    )


def test_one_seed_allows_no_test():
    v = verdict({"a": [0.9], "b": [0.8]})
    assert v.test == NO_TEST
    assert not v.pairs[0].real and math.isnan(v.pairs[0].p) and math.isnan(v.methods[0].low)
    assert "no test is possible with one seed" in v.sentence


def test_identical_scores_are_no_difference():
    v = verdict({"a": [1.0] * 5, "b": [1.0] * 5})
    assert v.pairs[0].p == 1.0 and not v.pairs[0].real
    assert v.sentence == "No difference shown: a and b all have 1.000 accuracy."


def test_the_same_difference_in_every_seed_is_judged_by_one_test_sample():
    coarse = {"n_train": 120, "n_test": 30}
    assert not verdict({"a": [1.0] * 5, "b": [29 / 30] * 5}, **coarse).clear
    assert verdict({"a": [1.0] * 5, "b": [1 / 3] * 5}, **coarse).clear


def test_failed_runs_are_left_out_in_pairs():
    v = verdict({"a": [NAN, *LENET[1:]], "b": MLP, "dead": [NAN] * 5})
    assert v.pair("a", "b").seeds == 4
    assert v.pair("a", "b").difference == pytest.approx(plain.mean(LENET[1:]) - plain.mean(MLP[1:]))
    assert (v.method("a").seeds, v.method("a").failed) == (4, 1)
    assert v.method("dead").failed == 5 and v.pair("a", "dead") is None
    assert v.clear and v.sentence.endswith("dead failed in every run.")


def test_a_method_with_one_run_left_cannot_be_beaten_or_win():
    v = verdict({"a": [0.9, NAN, NAN], "b": [0.8, 0.81, 0.82]})
    assert not v.clear and "no test is possible with too few runs" in v.sentence


def test_nothing_survives():
    v = verdict({"a": [NAN, NAN]})
    assert v.best is None and v.sentence == "No method has a score: every run failed."


def test_one_method():
    assert verdict({"lenet5": LENET}).sentence.startswith(
        "lenet5 reaches 0.985 accuracy (95 % interval 0.982 to 0.989)"
    )


def test_baselines_are_a_question_of_their_own():
    v = verdict({"lenet5": LENET, "mlp": MLP, "forest": [x + 0.001 for x in SOFTMAX]}, baselines=["forest"])
    among, *against = v.pairs
    assert among.p_holm == pytest.approx(among.p)  # one pair among the methods: nothing to correct
    assert [p.second for p in against] == ["forest", "forest"]
    assert v.best == "lenet5" and v.sentence.endswith("mlp is not shown to beat the baseline forest.")


def test_a_baseline_is_never_best():
    v = verdict({"mlp": MLP, "forest": LENET}, baselines=["forest"])
    assert v.best == "mlp" and "mlp is not shown to beat the baseline forest." in v.sentence


def test_fixed_test_set_uses_seeds_and_samples():
    rng = np.random.default_rng(0)
    samples = {
        name: (rng.random((5, 200)) < rate).astype(float) for name, rate in {"a": 0.9, "b": 0.7}.items()
    }
    scores = {name: rows.mean(1) for name, rows in samples.items()}
    v = verdict(scores, redrawn=False, per_sample=samples)
    assert v.test == BOOTSTRAP
    expected = paired_bootstrap(samples["a"] - samples["b"])
    assert (v.pairs[0].low, v.pairs[0].p) == pytest.approx((expected.low, expected.p))
    assert verdict(scores, redrawn=False).test == SEEDS_ONLY


def test_fixed_test_set_with_a_failed_seed():
    samples = {"a": np.full((3, 4), 0.5), "b": np.zeros((3, 4))}
    samples["a"][:, 0], samples["a"][2] = [1.0, 0.0, 1.0], NAN
    v = verdict({n: r.mean(1) for n, r in samples.items()}, redrawn=False, per_sample=samples)
    assert v.pairs[0].seeds == 2 and math.isfinite(v.pairs[0].p)


def test_wrong_inputs_name_the_method():
    with pytest.raises(UsageError, match="a has 2, b has 3"):
        verdict({"a": [1, 2], "b": [1, 2, 3]})
    with pytest.raises(UsageError, match="at least one"):
        verdict({})
    with pytest.raises(UsageError, match=r"of b need the shape \(2, samples\)"):
        verdict(
            {"a": [1, 2], "b": [1, 2]},
            redrawn=False,
            per_sample={"a": np.zeros((2, 3)), "b": np.zeros((3, 3))},
        )


def test_twelve_equal_methods_stay_readable():
    rng = np.random.default_rng(0)
    v = verdict({f"m{i}": rng.normal(0.9, 0.01, 5) for i in range(12)})
    assert "11 others" in v.sentence and "any of the other 55 pairs" in v.sentence
