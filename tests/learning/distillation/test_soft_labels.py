"""The learner of soft labels: its loss, its teacher that never moves, and runs that are interrupted."""

from math import exp, log

import pytest
import torch
from torch import nn

from torchatlas.data.spec import Spec
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.errors import UsageError
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.randomness import reseed
from torchatlas.learning.distillation import SoftLabels
from torchatlas.networks.dense.mlp import MLP
from toys import Table, X, Y, same_weights

SPEC = Spec("table", (20,), "classification", 3, ("a", "b", "c"))


def teacher():
    """Batch statistics and dropout: both must be as in evaluation."""
    torch.manual_seed(5)
    layers = [nn.Linear(20, 30), nn.BatchNorm1d(30), nn.ReLU(), nn.Dropout(0.5), nn.Linear(30, 3)]
    return nn.Sequential(*layers)


def make(**options):
    torch.manual_seed(1)
    return SoftLabels.for_data(SPEC, **{"teacher": teacher(), "student": MLP, **options}).train()


def probabilities(z, temperature=1.0):
    parts = [exp(x / temperature) for x in z]
    return [part / sum(parts) for part in parts]


def by_hand(learner, knowing, x, y, temperature, alpha):
    """Each row's loss in plain Python."""
    with torch.no_grad():
        student, aim = learner.network(x).tolist(), knowing.eval()(x).tolist()
    for z, v, k in zip(student, aim, y.tolist(), strict=True):
        q, p = probabilities(z, temperature), probabilities(v, temperature)
        divergence = sum(b * log(b / a) for a, b in zip(q, p, strict=True))
        yield alpha * temperature**2 * divergence - (1 - alpha) * log(probabilities(z)[k])


def test_the_loss_is_the_mean_by_weight():
    learner = make(temperature=2.0, alpha=0.7).double()
    x, y, weight = X[:9].double(), Y[:9], torch.arange(9).double()
    each = list(by_hand(learner, teacher().double(), x, y, 2.0, 0.7))
    assert learner.loss("all", (x, y)).item() == pytest.approx(sum(each) / 9, abs=1e-12)
    weighted = sum(k * one for k, one in enumerate(each)) / 36
    assert learner.loss("all", (x, y, weight)).item() == pytest.approx(weighted, abs=1e-12)
    assert learner.loss("all", (x, y, 0 * weight)).item() == 0


def test_the_teacher_is_neither_trained_nor_saved_nor_ever_in_training_mode():
    given = teacher()
    learner = make(teacher=given)
    assert learner.training and learner.network.training
    assert not any(module.training for module in learner.teacher.modules())
    assert given.training, "the caller's own network is left alone"
    assert {id(p) for p in learner.parameters()} == {id(p) for p in learner.network.parameters()}
    assert all(name.startswith("network.") for name in learner.state_dict())
    assert not list(learner.buffers())
    before = [tensor.clone() for tensor in learner.teacher.state_dict().values()]
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    learner.loss("all", (X, Y)).backward()
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, learner.teacher.state_dict().values(), strict=True))
    assert learner.to(torch.double).teacher[0].weight.dtype == torch.double


def test_a_checkpoint_is_taken_up_without_the_teacher():
    learner, alone = make(), make(teacher=None)
    alone.network.head.weight.data.zero_()
    alone.load_state_dict(learner.state_dict())
    assert torch.equal(alone.eval().predict(X), learner.eval().predict(X))
    assert torch.equal(alone.scores((X, Y))["loss"], learner.scores((X, Y))["loss"])
    with pytest.raises(UsageError, match="teacher=run:RUN"):
        alone.loss("all", (X, Y))


def loop(folder=None, steps=40):
    reseed("cpu", "init")
    learner = make(student="mlp")
    optimizers = {"all": torch.optim.Adam(learner.owned("all"), lr=1e-2)}
    store = Store(folder) if folder else None
    return Loop(learner, Table(X, Y), optimizers, Plan(steps=steps), store=store)


def test_a_run_that_is_cut_ends_in_the_same_bits(tmp_path):
    whole = loop()
    whole.run()
    loop(tmp_path, steps=17).run()
    rest = loop(tmp_path)
    assert rest.resume() and rest.step == 17
    rest.run()
    assert same_weights(whole.learner, rest.learner)
    assert same_weights(whole.learner.network, rest.learner.network)


def test_a_student_comes_to_agree_with_its_teacher():
    learner = make(alpha=1.0, temperature=2.0)
    torch.nn.init.normal_(learner.teacher[-1].weight)
    aim = learner.teacher(X).argmax(1)
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        learner.loss("all", (X, torch.zeros_like(Y))).backward()  # the classes do not count
        optimizer.step()
    assert float((learner.eval().predict(X).argmax(1) == aim).float().mean()) > 0.97


def test_an_untrained_teacher_is_the_same_each_time_and_must_be_called_so():
    torch.manual_seed(0)
    first = make(teacher="untrained:mlp").teacher
    torch.manual_seed(7)
    state = torch.get_rng_state()
    second = SoftLabels.for_data(SPEC, teacher="untrained:mlp", student=lambda: nn.Identity()).teacher
    assert torch.equal(torch.get_rng_state(), state), "it draws from the run's own numbers"
    assert same_weights(first, second)
    with pytest.raises(UsageError, match="was not trained"):
        make(teacher="mlp")


def test_teachers_and_data_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="7 outputs, and the data has 3 classes"):
        make(teacher=nn.Linear(20, 7))
    with pytest.raises(UsageError, match=r"does not take inputs of shape \(20,\)"):
        make(teacher=nn.Linear(21, 3))
    with pytest.raises(UsageError, match="regression"):
        SoftLabels.for_data(Spec("table", (20,), "regression", 1), teacher=teacher())
