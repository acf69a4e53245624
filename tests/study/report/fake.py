"""Comparisons that look real: what the report is drawn and tested with."""

import math

import numpy as np

from torchatlas.study.report import DataSummary, MethodResult, RunReport, RunResult, StudyResult, Worst
from torchatlas.study.verdict.statistics import compare_all

NAN = math.nan


def digit(rng, which):
    """An 8×8 blob that depends on the class."""
    rows, columns = np.mgrid[:8, :8]
    angle = which * math.pi / 5
    line = np.abs((columns - 3.5) * math.sin(angle) - (rows - 3.5) * math.cos(angle) + rng.normal(0, 0.4))
    ring = np.abs(np.hypot(rows - 3.5, columns - 3.5) - 2.6)
    ink = np.exp(-((line if which % 2 else ring) ** 2)) + rng.normal(0, 0.06, (8, 8))
    return (255 * np.clip(ink, 0, 1)).astype(np.uint8)


def curve(rng, epochs, final, pace, metric="accuracy"):
    """Scores of a run that learns at some pace."""
    entries = []
    for epoch in range(1, epochs + 1):
        left = math.exp(-epoch / pace)
        score = final - (final - 0.1) * left + rng.normal(0, 0.004)
        loss = 2.3 * left + 0.04 + abs(rng.normal(0, 0.006))
        entries.append({"epoch": epoch, "step": epoch * 18, "train_loss": loss, f"valid_{metric}": score,
                        "valid_loss": 1.2 * loss})  # fmt: skip
    return entries


def confusion(rng, classes, accuracy, each=36):
    """A matrix with most of its weight on the diagonal."""
    wrong = (1 - accuracy) * rng.dirichlet(np.full(classes, 0.25), classes)
    shares = wrong + accuracy * np.eye(classes)
    return np.stack([rng.multinomial(each, row / row.sum()) for row in shares])


def classifier(rng, name, final, pace, seeds=5, *, baseline=False, epochs=30, **costs):
    runs = []
    for seed in range(seeds):
        score = float(np.round((final + rng.normal(0, 0.004)) * 360) / 360)
        worst = [
            Worst(str(w), str((w + 3) % 10), float(rng.uniform(0.7, 1.0)), image=digit(rng, w))
            for w in rng.integers(0, 10, 4)
        ]
        learned = [] if baseline else curve(rng, epochs, score, pace)
        runs.append(RunResult(seed, {"accuracy": score}, learned, None, 540, 3.1,
                              confusion(rng, 10, score), worst))  # fmt: skip
    return MethodResult(name, name, runs=runs, baseline=baseline, **costs)


def verdict_of(methods, baselines, metric, higher_is_better, seeds, n_train=1221, n_test=360):
    everybody = {m.label: [r.scores.get(metric, NAN) for r in m.runs][:seeds] for m in [*methods, *baselines]}
    return compare_all(
        everybody,
        n_train=n_train,
        n_test=n_test,
        redrawn=True,
        metric=metric,
        higher_is_better=higher_is_better,
        baselines=[b.label for b in baselines],
    )


def digits_data():
    return DataSummary(
        "digits", "classification", "image", (1, 8, 8), 1221, 216, 360, tuple(map(str, range(10))),
        (121, 124, 120, 124, 123, 124, 123, 122, 118, 122),
        ["images resized from 8×8 to 28×28, as lenet5 wants"],
    )  # fmt: skip


def image_study(seeds=5):
    """The main job: three networks and two baselines on digits."""
    rng = np.random.default_rng(0)
    methods = [
        classifier(
            rng,
            "softmax_regression",
            0.962,
            3,
            seeds,
            parameters=650,
            macs=640,
            seconds=0.8,
            latency_ms=0.031,
        ),
        classifier(
            rng, "mlp", 0.9725, 4, seeds, parameters=19_210, macs=18_944, seconds=1.1, latency_ms=0.043
        ),
        classifier(
            rng, "lenet5", 0.987, 6, seeds, parameters=44_426, macs=281_640, seconds=9.4, latency_ms=0.21
        ),
    ]
    baselines = [
        classifier(rng, "random_forest", 0.9705, 1, seeds, baseline=True, seconds=0.4),
        classifier(rng, "majority", 0.1, 1, seeds, baseline=True),
    ]
    for run in baselines[1].runs:
        run.worst, run.confusion = [], None
    return StudyResult(
        title="softmax_regression, mlp and lenet5 on digits",
        question="Which of three networks reads 8×8 images of hand-written digits best, with equal training?",
        data=digits_data(),
        metric="accuracy",
        higher_is_better=True,
        methods=methods,
        baselines=baselines,
        verdict=verdict_of(methods, baselines, "accuracy", True, seeds),
        budget="30 epochs each",
        tuning="no tuning: each method with its default recipe",
        split="20 % test and 12 % validation, stratified, drawn again for every seed",
        recipe_yaml="data: digits\nseeds: 5\nepochs: 30\nmethods:\n  lenet5:\n    optimizer: adam\n",
        command="torchatlas compare softmax_regression mlp lenet5 --data digits --seeds 5 --epochs 30",
        environment={
            "torchatlas": "0.1.0",
            "torch": "2.13.0",
            "python": "3.11.7",
            "device": "cpu, 2 threads",
        },
        created="2026-11-20 12:40",
    )


def row_worst(rng):
    cells = {f"feature_{i}": f"{rng.normal():.2f}" for i in range(5)}
    return Worst(
        f"{rng.normal(150, 40):.0f}", f"{rng.normal(150, 40):.0f}", float(rng.normal(0, 90)), cells=cells
    )


def regressor(rng, name, rmse, seeds=5, *, baseline=False, **costs):
    runs = []
    for seed in range(seeds):
        truth = rng.normal(150, 75, 89)
        predicted = np.stack([truth, 150 + 0.7 * (truth - 150) + rng.normal(0, rmse, 89)], 1)
        score = float(np.sqrt(np.mean((predicted[:, 0] - predicted[:, 1]) ** 2)))
        learned = [] if baseline else [
            {"step": s, "train_loss": math.exp(-s / 90) + 0.4, "valid_rmse": score + 60 * math.exp(-s / 100)}
            for s in range(10, 401, 10)
        ]  # fmt: skip
        runs.append(RunResult(seed, {"rmse": score, "r2": 0.5}, learned, None, 400, 1.0, None,
                              [row_worst(rng) for _ in range(3)], predicted))  # fmt: skip
    return MethodResult(name, name, runs=runs, baseline=baseline, **costs)


def table_study():
    """Regression on a table, with a method that failed, one that failed in part, and an odd name."""
    rng = np.random.default_rng(1)
    odd = "mypkg.nets:<b>Net & Co</b>"
    methods = [
        regressor(rng, "linear_regression", 50, parameters=11, macs=10, seconds=0.2, latency_ms=0.01),
        regressor(rng, "mlp", 47, parameters=3_073, macs=2_816, seconds=0.9, latency_ms=0.03),
        regressor(rng, odd, 58, parameters=1_250_000_000, macs=4_100_000_000, seconds=812.0, latency_ms=31.0),
        MethodResult("deep", "deep", settings={"lr": 1e9}),
    ]
    methods[1].settings = {"hidden": (64, 32), "activation": "mish"}
    methods[3].runs = [
        RunResult(s, error="the loss is not finite at step 3, first in layers.0") for s in range(5)
    ]
    broken = methods[2].runs[4]
    methods[2].runs[4] = RunResult(broken.seed, {"rmse": NAN}, broken.curve[:4], "out of memory <at step 40>")
    baselines = [regressor(rng, "mean", 76, baseline=True)]
    return StudyResult(
        title="four networks on diabetes",
        question="Which network tells the disease's progress from ten measurements?",
        data=DataSummary("diabetes", "regression", "table", (10,), 301, 53, 88),
        metric="rmse",
        higher_is_better=False,
        methods=methods,
        baselines=baselines,
        verdict=verdict_of(methods, baselines, "rmse", False, 5, 301, 88),
        budget="400 steps each",
        warnings=["deep failed in every run; the learning rate 1e9 is far outside the usual range."],
    )


def run_report(kind):
    """One run of a classifier, a regressor or a generative learner."""
    rng = np.random.default_rng(2)
    common = {
        "recipe_yaml": "method: x\n",
        "command": "torchatlas train x --data digits",
        "created": "2026-11-20",
    }
    if kind == "classification":
        method = classifier(
            rng, "lenet5", 0.98, 5, 1, parameters=44_426, macs=281_640, seconds=9.4, latency_ms=0.2
        )
        return RunReport("lenet5 on digits", digits_data(), "accuracy", True, method,
                         [classifier(rng, "majority", 0.1, 1, 1, baseline=True)], **common)  # fmt: skip
    if kind == "regression":
        data = DataSummary("diabetes", "regression", "table", (10,), 301, 53, 88)
        return RunReport(
            "mlp on diabetes", data, "rmse", False, regressor(rng, "mlp", 50, 1, seconds=1.0), **common
        )
    learned = [
        {"step": s, "train_critic.loss": 1.3 + 0.1 * math.sin(s), "train_generator.loss": 0.8 + s / 4000}
        for s in range(0, 2000, 20)
    ]
    run = RunResult(0, {}, learned, None, 2000, 61.0, samples=[digit(rng, i % 10) for i in range(32)])
    data = DataSummary("digits", "none", "image", (1, 8, 8), 1797, 0, 0)
    method = MethodResult("gan_nonsaturating", "gan_nonsaturating", 200_000, runs=[run], seconds=61.0)
    return RunReport("gan_nonsaturating on digits", data, "", False, method, **common)


def many_classes_study():
    """Ten methods, sixty classes: the page must stay readable."""
    rng = np.random.default_rng(3)
    methods = [
        classifier(rng, f"method_{i}", 0.7 + i / 100, 3 + i, 3, parameters=10 ** (3 + i % 4), seconds=2.0**i)
        for i in range(10)
    ]
    for method in methods:
        for run in method.runs:
            run.confusion, run.worst = confusion(rng, 60, 0.7, 20), []
    data = DataSummary("sixty", "classification", "image", (3, 32, 32), 5000, 500, 1200,
                       tuple(f"class {i}" for i in range(60)), tuple(range(50, 110)))  # fmt: skip
    return StudyResult("ten methods", "Which?", data, "accuracy", True, methods,
                       verdict_of(methods, [], "accuracy", True, 3, 5000, 1200))  # fmt: skip
