import math

import pytest
import torch
from torch import nn

from torchatlas.data.spec import Part, Spec
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.errors import UsageError
from torchatlas.engine.learner import mean_scores
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.randomness import reseed
from torchatlas.engine.record import Record
from torchatlas.generative.autoregressive import LanguageModel
from torchatlas.generative.autoregressive.language_model import pick
from torchatlas.networks.recurrent import LSTM
from torchatlas.networks.transformers import GPT
from toys import Table, same_weights

SPEC = Spec("text", (8,), "language", 6, ("\ufffd", "\n", "a", "b", "c", "d"))
TEXT = torch.tensor([1, 2, 3, 4, 5, 3, 2] * 60)


def gpt(dropout=0.0):
    net = GPT(6, context=8, width=16, layers=1, heads=2, dropout=dropout)
    return LanguageModel.for_data(SPEC, network=net)


def lstm(dropout=0.0):
    return LanguageModel.for_data(SPEC, network=LSTM(6, context=8, width=16, dropout=dropout))


def sharp(model):
    """Weights so large that one of two likely characters follows each text, in evaluation mode."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model.double().eval()


def windows():
    ends = range(0, len(TEXT) - 9, 8)
    return torch.stack([TEXT[k : k + 8] for k in ends]), torch.stack([TEXT[k + 1 : k + 9] for k in ends])


class Fixed(nn.Module):
    """The same logits after every text, whatever it says."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits, dtype=torch.double))

    def forward(self, ids):
        return self.logits.expand(*ids.shape, -1)


def test_the_loss_is_the_mean_over_characters():
    model = gpt().double()
    x, y = torch.randint(6, (3, 5)), torch.randint(6, (3, 5))
    p = model.network(x).softmax(2).detach()
    each = [[-math.log(float(p[b, t, y[b, t]])) for t in range(5)] for b in range(3)]
    assert model.loss("all", (x, y)).item() == pytest.approx(sum(map(sum, each)) / 15)
    scores = model.scores((x, y))
    rows = [sum(row) / 5 for row in each]
    assert scores["loss"].tolist() == pytest.approx(rows)
    assert scores["bits_per_character"].tolist() == pytest.approx([row / math.log(2) for row in rows])
    right = [sum(int(p[b, t].argmax() == y[b, t]) for t in range(5)) / 5 for b in range(3)]
    assert scores["accuracy"].tolist() == pytest.approx(right)


def test_all_characters_alike_cost_log2_of_their_number():
    model = LanguageModel(Fixed([0.0] * 8), context=4)
    scores = model.scores((torch.zeros(2, 4, dtype=torch.long), torch.randint(8, (2, 4))))
    assert scores["bits_per_character"].tolist() == [3.0, 3.0]
    assert model.monitor == "bits_per_character" and not model.maximise


def test_trials_hold_each_window_once_and_few_at_a_time():
    x = torch.arange(700)[:, None].expand(-1, 256) % 6
    part = Part(x, x, torch.arange(700).numpy())
    model = LanguageModel(Fixed([0.0] * 6), context=256)
    trials = list(model.trials(part, 0))
    assert torch.equal(torch.cat([trial[0] for trial in trials]), x)
    assert max(trial[0].numel() for trial in trials) == 128 * 256


def test_a_stream_is_drawn_from_the_last_window():
    model = sharp(gpt())
    said, noise = [1, 2, 3], torch.Generator().manual_seed(0)
    got = list(model.stream(said, 20, 0.7, generator=noise))
    noise = torch.Generator().manual_seed(0)
    for one in got:
        p = (model.network(torch.tensor([said[-8:]]))[:, -1] / 0.7).softmax(1)
        assert one == int(torch.multinomial(p, 1, generator=noise))
        said.append(one)
    assert len(set(got)) > 1


def test_a_stream_with_a_state_is_that_of_the_whole_text():
    model = sharp(lstm())
    said, noise = [1, 2, 3], torch.Generator().manual_seed(0)
    got = list(model.stream(said, 30, generator=noise))
    noise = torch.Generator().manual_seed(0)
    for one in got:
        p = model.network(torch.tensor([said]))[:, -1].softmax(1)
        assert one == int(torch.multinomial(p, 1, generator=noise))
        said.append(one)
    assert len(set(got)) > 1


@pytest.mark.parametrize("kind", [gpt, lstm])
def test_a_prompt_may_be_longer_than_the_context(kind):
    model = sharp(kind())
    long = TEXT[:30].tolist()
    assert len(list(model.stream(long, 3))) == 3
    if kind is gpt:
        assert list(model.stream(long, 9, 0)) == list(model.stream(long[-8:], 9, 0))


def test_a_stream_comes_one_by_one_and_the_seed_decides():
    model = gpt().eval()
    stream = model.stream([], 4, generator=torch.Generator().manual_seed(3))
    first = next(stream)
    assert [first, *stream] == list(model.stream([1], 4, generator=torch.Generator().manual_seed(3)))
    assert list(model.stream([1], 0)) == []


def test_temperature_and_top_k_shape_the_chances():
    logits = torch.tensor([1.0, 3.0, 2.0, -1.0], dtype=torch.double)
    many = logits.expand(40_000, -1)
    noise = torch.Generator().manual_seed(0)
    cases = [(1.0, None), (0.5, None), (2.0, None), (1.0, 2), (0.5, 3), (1.0, 9)]
    for temperature, top_k in cases:
        kept = sorted(logits.tolist(), reverse=True)[:top_k]
        wanted = [math.exp(v / temperature) if v in kept else 0.0 for v in logits.tolist()]
        got = pick(many, temperature, top_k, noise).bincount(minlength=4) / 40_000
        expected = torch.tensor(wanted) / sum(wanted)
        torch.testing.assert_close(got, expected, rtol=0, atol=0.012)
        assert ((got == 0) == (expected == 0)).all() or temperature == 0.5
    assert pick(many[:3], 0).tolist() == [1, 1, 1]
    assert pick(many[:3], 1e-30).tolist() == [1, 1, 1]
    assert pick(many[:3], 1.0, 1).tolist() == [1, 1, 1]


def test_samples_are_windows_that_begin_after_a_line():
    model = sharp(gpt())
    assert model.start == 1
    torch.manual_seed(0)
    rows = model.sample(5)
    assert rows.shape == (5, 8) and rows.dtype == torch.long
    torch.manual_seed(0)
    first = torch.multinomial(model.network(torch.ones(5, 1, dtype=torch.long))[:, -1].softmax(1), 1)[:, 0]
    assert torch.equal(rows[:, 0], first)
    other = Spec("text", (4,), "language", 2, ("\ufffd", "x"))
    assert LanguageModel.for_data(other, network=GPT(2, context=4, width=8, heads=2)).start == 0


@pytest.mark.parametrize(
    ("options", "said"), [({"temperature": -1.0}, "temperature=-1"), ({"top_k": 0}, "top_k=0")]
)
def test_wrong_words_are_refused_at_once(options, said):
    with pytest.raises(UsageError, match=said):
        gpt().stream([1], 5, **options)


def test_it_is_for_text():
    with pytest.raises(UsageError, match="reads text"):
        LanguageModel.for_data(Spec("table", (4,), "classification", 2), network=nn.Linear(4, 2))
    with pytest.raises(UsageError, match="needs a network"):
        LanguageModel.for_data(SPEC)


def make_loop(folder, kind, steps):
    reseed("cpu", "init")
    model, (x, y) = kind(dropout=0.1), windows()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    folder.mkdir(exist_ok=True)
    return Loop(
        model,
        Table(x, y, size=16),
        {"all": optimizer},
        Plan(steps=steps, save_every_steps=10, clip=1.0, ema=0.9),
        schedules={"all": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)},
        validate=lambda model: mean_scores(model, [(x[:8], y[:8])]),
        store=Store(folder / "checkpoints"),
        record=Record(folder / "record.jsonl"),
    )


@pytest.mark.parametrize("kind", [gpt, lstm])
def test_it_learns_and_stopped_and_resumed_ends_in_the_same_bits(tmp_path, kind):
    whole = make_loop(tmp_path / "whole", kind, 60)
    whole.run()
    make_loop(tmp_path / "broken", kind, 30).run()
    broken = make_loop(tmp_path / "broken", kind, 60)
    assert broken.resume() and broken.step == 30
    broken.run()
    assert same_weights(whole.learner, broken.learner) and same_weights(whole.average, broken.average)
    assert mean_scores(whole.learner, [windows()])["bits_per_character"] < 1.6  # 2.24 without the context
