import dataclasses

import pytest
import torch
from bench.pairs import pairs
from bench.peers.by_hand import ByHand
from bench.peers.flops import of_step
from bench.peers.nets import TASKS, Data, Task, accuracy
from bench.peers.ours import Ours
from bench.peers.plan import chosen, everything
from bench.peers.rows import data_of
from bench.peers.table import tables
from bench.peers.ways import NETS, WAYS


@pytest.fixture
def task(monkeypatch) -> Task:
    """The perceptron's task, on made pictures."""
    monkeypatch.setenv("TORCHATLAS_DATA", "/nowhere")
    return dataclasses.replace(TASKS["mlp"], steps=60, longer=1)


@pytest.fixture
def data(task, tmp_path) -> Data:
    return data_of(task, tmp_path / "data")


def weights(net: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def test_ours_and_the_hand_written_loop_do_the_same_work(task, data, tmp_path):
    ours = Ours(task, data, 3, tmp_path / "ours")
    theirs = ByHand(task, data, 3, tmp_path / "hand", fused=True)
    for side in (ours, theirs):
        side.fresh()
        side.run()
    torch.testing.assert_close(weights(ours.network), weights(theirs.net), rtol=0, atol=1e-5)
    told = [accuracy(side.classes(data.test_x), data) for side in (ours, theirs)]
    assert abs(told[0] - told[1]) < 1e-3 and told[0] > 0.5
    assert ours.parameters == theirs.parameters
    start = task.network(data.classes, 3)
    assert (weights(ours.network) - weights(start)).abs().max() > 0.01  # it moved at all


def test_a_side_that_is_set_back_trains_again_to_the_same_end(task, data, tmp_path):
    ours = Ours(task, data, 3, tmp_path / "ours", saves=True)
    ends = []
    for _ in range(2):
        ours.fresh()
        assert ours.loop.step == 0 and not ours.checkpoints.exists()
        ours.run()
        assert len(list(ours.checkpoints.iterdir())) == 1
        ends.append(weights(ours.network).clone())
    assert torch.equal(*ends)


@pytest.mark.parametrize("net", NETS)
def test_each_task_has_made_data_that_its_network_reads(net, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHATLAS_DATA", "/nowhere")
    task = dataclasses.replace(TASKS[net], steps=1, longer=1)
    data = data_of(task, tmp_path)
    assert "made" in data.source and len(data.x) == len(data.y) == task.batch
    side = ByHand(task, data, 0, tmp_path)
    side.fresh()
    side.run()
    assert side.classes(data.test_x[:4]).shape == data.test_y[:4].shape


def test_floating_point_operations_of_the_perceptron_are_those_on_paper(task, data):
    forward = 2 * task.batch * (784 * 100 + 100 * 10)
    inputs = 2 * task.batch * 100 * 10  # the gradient of the first layer's inputs is not asked for
    assert of_step(task, data) == 2 * forward + inputs


def test_recurrent_and_attention_operations_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHATLAS_DATA", "/nowhere")
    for net, weights_used in (("lstm", 2 * 4 * 128 * 128 + 128 * 65), ("gpt", 2 * 12 * 128 * 128 + 128 * 65)):
        task = dataclasses.replace(TASKS[net], steps=1, longer=1)
        characters = task.batch * task.options["context"]
        attention = 2 * 2 * task.options["context"] * 128 * characters * 2 * 3 if net == "gpt" else 0
        paper = 3 * 2 * weights_used * characters + attention
        assert of_step(task, data_of(task, tmp_path)) == pytest.approx(paper, rel=0.01)


def test_pairs_make_ready_outside_of_the_times_and_drop_the_first():
    calls: list[str] = []
    found = pairs(
        "",
        lambda: calls.append("ours"),
        lambda: calls.append("theirs"),
        3,
        fresh=(lambda: calls.append("ready"), lambda: None),
    )
    assert (
        len(found.ratios) == 3 and calls.count("ours") == calls.count("theirs") == calls.count("ready") == 4
    )
    assert all(calls[k - 1] == "ready" for k, call in enumerate(calls) if call == "ours")
    order = [call for call in calls if call != "ready"]
    assert order[:4] == ["theirs", "ours", "ours", "theirs"]


def test_parts_can_be_chosen():
    assert len({(*job.words, job.kind) for job in everything()}) == len(everything())
    some = chosen(("train", "lstm"), ("keras_jax",))
    assert [(job.kind, job.words) for job in some] == [
        ("data", ("lstm",)),
        ("train", ("lstm", "keras_jax", "exact")),
    ]
    assert {job.backend for job in some} == {"", "jax"}
    assert all(set(way.nets) <= set(NETS) for way in WAYS.values())


def test_a_peer_that_is_ahead_is_bold(tmp_path):
    (tmp_path / "results").mkdir()
    found = '{"ratios": [0.5, 0.6, 0.7, 0.8], "ours": 2.0, "theirs": 1.2, "pairs": 4, "numerics": "exact"}'
    (tmp_path / "results" / "train-mlp-keras_jax-exact.json").write_text(found)
    (tmp_path / "results" / "train-mlp-skorch-exact.json").write_text(
        found.replace("0.5, 0.6, 0.7", "2, 3, 4")
    )
    text = "\n".join(tables(tmp_path))
    assert "| Keras 3 on JAX | exact | **0.65 (0.53 to 0.78)** | 2.000 | 1.200 |" in text
    assert "| skorch | exact | 2.50 (" in text


def test_pairs_can_be_measured_in_other_numerics():
    some = chosen(("mlp",), ("by_hand", "keras_jax"), "compiled")
    assert [job.words for job in some] == [
        ("mlp",),
        ("mlp", "by_hand", "compiled"),
        ("mlp", "keras_jax", "compiled"),
    ]
