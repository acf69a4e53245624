from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchatlas.engine import numerics as page
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.errors import NotFinite, UsageError
from torchatlas.engine.learner import Learner
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.numerics import EXACT, WORDS, Numerics, has_bfloat16, has_tf32
from torchatlas.engine.randomness import reseed
from toys import Classifier, Duel, Table, X, Y, same_weights

CPU = torch.device("cpu")
G = torch.Generator().manual_seed(0)
PICTURES = torch.randn(96, 3, 8, 8, generator=G)


class Convolved(Learner):
    """A small convolutional net with batch statistics."""

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Tanh(), nn.Conv2d(8, 4, 3)]
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 3))

    def loss(self, player, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])


class Breaks(Learner):
    """Its loss is not a number at step 3."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(20, 3)
        self.register_buffer("calls", torch.zeros(()))

    def loss(self, player, batch):
        self.calls += 1
        return F.cross_entropy(self.net(batch[0]), batch[1]) + torch.where(self.calls > 3, torch.nan, 0.0)


def loop_of(kind=Classifier, numerics=EXACT, tensors=(X, Y), folder=None, steps=12, **plan) -> Loop:
    reseed("cpu", "init")
    learner = kind()
    numerics.place(learner)
    optimizers = {p: torch.optim.Adam(learner.owned(p), 1e-2) for p in learner.players}
    return Loop(
        learner,
        Table(*tensors),
        optimizers,
        Plan(steps, log_every=5, **plan),
        store=Store(folder) if folder else None,
        numerics=numerics,
    )


def trained(*args, **words) -> Loop:
    loop = loop_of(*args, **words)
    loop.run()
    return loop


@pytest.fixture
def eager_backend(monkeypatch):
    """`torch.compile` without a code generator, which takes seconds for each net."""
    monkeypatch.setattr(page, "BACKEND", "aot_eager")
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def test_words_and_back():
    assert Numerics.parse("exact") == EXACT == Numerics()
    assert Numerics.parse("bfloat16+channels_last") == Numerics(channels_last=True, bfloat16=True)
    assert Numerics.parse("unfused").fused is False and Numerics.parse("fused").fused is True
    for word in WORDS:
        assert str(Numerics.parse(word)) == word
    assert str(EXACT) == "exact"
    assert str(Numerics(bfloat16=True, fused=False, threads=1)) == "bfloat16+unfused+1 thread"


@pytest.mark.parametrize("text", ["", "fast", "bfloat16+", "auto", "fused+unfused", "exact+fused"])
def test_other_words_are_refused(text):
    with pytest.raises(UsageError, match=r"numerics=.*say"):
        Numerics.parse(text)


def test_plain_values_and_back():
    every = Numerics(True, True, True, True, False, 3)
    assert Numerics.of(every.as_dict()) == every
    assert Numerics.of({}) == EXACT
    assert Numerics.of(EXACT.as_dict() | {"of a later torchatlas": 1}) == EXACT
    assert len(every.as_dict()) == len(fields(Numerics))


def test_layout_of_weights_and_batches():
    learner, form = Convolved(), torch.channels_last
    last = Numerics(channels_last=True)
    last.place(learner)
    assert all(p.is_contiguous(memory_format=form) for p in learner.parameters() if p.ndim == 4)
    x, y = last.laid((PICTURES, Y[:96]))
    assert x.is_contiguous(memory_format=form) and torch.equal(x, PICTURES) and y is not None
    assert EXACT.laid((PICTURES,))[0] is PICTURES


@pytest.mark.parametrize(
    ("numerics", "tolerance"),
    [(Numerics(channels_last=True), 1e-4), (Numerics(bfloat16=True), 0.05)],
    ids=str,
)
def test_another_rounding_learns_the_same(numerics, tolerance):
    tensors = (PICTURES, Y[:96])
    exact, other = (trained(Convolved, n, tensors, steps=9) for n in (EXACT, numerics))
    assert not same_weights(exact.learner, other.learner)
    for a, b in zip(exact.learner.parameters(), other.learner.parameters()):
        assert b.dtype is torch.float32
        torch.testing.assert_close(a, b.contiguous(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", [Classifier, Duel])
def test_compiled_turns_learn_the_same_with_the_same_noise(kind, eager_backend):
    exact, other = (trained(kind, n) for n in (EXACT, Numerics(compiled=True)))
    for a, b in zip(exact.learner.state_dict().values(), other.learner.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("words", ["bfloat16", "compiled", "bfloat16+compiled"])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(words, eager_backend, tmp_path):
    numerics = Numerics.parse(words)
    before = trained(Breaks, numerics, steps=3)
    loop = loop_of(Breaks, numerics)
    loop.failures = tmp_path
    with pytest.raises(NotFinite, match=r"step 3: .* before the weights changed"):
        loop.run()
    assert loop.step == 3
    assert same_weights(loop.learner, before.learner)
    assert (tmp_path / "step-00000003" / "failure.json").exists()


@pytest.mark.parametrize("words", ["bfloat16", "compiled"])
def test_going_on_is_exact(words, eager_backend, tmp_path):
    numerics = Numerics.parse(words)
    whole = trained(numerics=numerics)
    trained(numerics=numerics, folder=tmp_path, steps=5)
    rest = loop_of(numerics=numerics, folder=tmp_path)
    assert rest.resume() and rest.step == 5
    rest.run()
    assert same_weights(whole.learner, rest.learner)


def test_each_player_and_each_shape_is_compiled_once(monkeypatch):
    graphs = []

    def counts(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(page, "BACKEND", counts)
    trained(Duel, Numerics(compiled=True), steps=8)  # of which the seventh has a shorter batch
    assert len(graphs) == 2 * 2
    torch.compiler.reset()


@pytest.mark.parametrize("logs", [False, True])
def test_the_loss_of_a_turn_in_bfloat16_is_float32(logs):
    class Plain(Learner):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(20, 1)

        def loss(self, player, batch):
            loss = self.net(batch[0]).mean()
            return (loss, {"as it is": loss.detach()}) if logs else loss

    loop = loop_of(Plain, Numerics(bfloat16=True))
    loop._one_step()
    noted = loop.meters.pending
    assert noted["loss"][0].dtype is torch.float32
    assert not logs or noted["as it is"][0].dtype is torch.bfloat16
    assert all(p.grad is None or p.grad.dtype is torch.float32 for p in loop.learner.parameters())


@torch._dynamo.config.patch(recompile_limit=2, fail_on_recompile_limit_hit=True)
def test_many_nets_of_one_process_are_all_compiled(eager_backend):
    for width in range(2, 6):

        class Wide(Classifier):
            def __init__(self, width=width):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(20, width), nn.ReLU(), nn.Linear(width, 3))

        trained(Wide, Numerics(compiled=True), steps=2)


def test_the_hardware_is_asked():
    assert has_bfloat16(CPU) in {True, False} and not has_tf32(CPU)
    assert not has_bfloat16(torch.device("mps"))


def test_bfloat16_is_what_the_processor_says(monkeypatch):
    for known, has in (({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx2": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known)
        assert has_bfloat16(CPU) is has


def test_precision_is_set_on_cuda_alone_and_put_back():
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    with Numerics(tf32=True).precise(CPU):
        assert [kind.fp32_precision for kind in kinds] == before
    for numerics, word in ((Numerics(tf32=True), "tf32"), (EXACT, "ieee")):
        with numerics.precise(torch.device("cuda")):
            assert {kind.fp32_precision for kind in kinds} == {word}
        assert [kind.fp32_precision for kind in kinds] == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch for PyTorch
def test_the_code_generator_meets_the_same_noise():
    losses = []  # weights differ: a bias before batch statistics has no gradient but for rounding
    for numerics in (EXACT, Numerics(compiled=True)):
        loop = loop_of(numerics=numerics, steps=6)
        for _ in range(6):
            loop._one_step()
        losses.append(torch.stack(loop.meters.pending["loss"]))
    torch.testing.assert_close(*losses, rtol=1e-3, atol=0)


def test_a_turn_without_autocast_is_float32_itself():
    loops = [trained(numerics=n) for n in (EXACT, replace(EXACT, fused=True, threads=1))]
    assert same_weights(loops[0].learner, loops[1].learner)
