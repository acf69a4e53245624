import warnings

import pytest
import torch

from torchatlas.data.prepared import prepare
from torchatlas.data.text.reading import text_dataset
from torchatlas.engine.errors import UsageError
from torchatlas.engine.randomness import generator
from torchatlas.generative.autoregressive import LanguageModel
from torchatlas.networks.recurrent import LSTM
from torchatlas.study.training.recipe import Recipe
from torchatlas.study.training.run import Run
from torchatlas.study.training.texts import stream_text

TEXT = "to be, or not to be\n" * 60


@pytest.fixture
def run():
    torch.manual_seed(0)
    prepared = prepare(text_dataset(TEXT, "play"), seed=0, context=16)
    model = LanguageModel.for_data(prepared.spec, network=LSTM(prepared.spec.outputs, context=16, width=8))
    recipe = Recipe(method="lstm", data="text:play.txt")
    return Run(recipe, model, prepared.preparation, prepared.spec)


def test_text_goes_on_from_the_prompt_and_the_seed_decides(run):
    run.model.train()
    said = list(stream_text(run, "to be", 12, seed=4))
    assert len(said) == 12 and all(len(one) == 1 for one in said) and not run.model.training
    vocabulary = run.preparation.encoder.vocabulary
    ids = [vocabulary.index(one) for one in "to be"]
    expected = run.model.stream(ids, 12, generator=generator(4, "text"))
    assert said == [vocabulary[one] for one in expected]
    assert said == list(stream_text(run, "to be", 12, seed=4)) != list(stream_text(run, "to be", 12, seed=5))


def test_it_comes_as_it_is_drawn(run):
    endless = stream_text(run, length=10**12)
    assert isinstance(next(endless), str)


def test_temperature_and_top_k_are_passed_on(run):
    likeliest = list(stream_text(run, "or", 9, temperature=0))
    assert likeliest == list(stream_text(run, "or", 9, top_k=1, seed=7))
    assert likeliest != list(stream_text(run, "or", 9, temperature=50.0))


def test_without_a_prompt_a_line_begins(run):
    assert list(stream_text(run, "", 9)) == list(stream_text(run, "\n", 9))


def test_unknown_characters_are_told(run):
    with pytest.warns(UserWarning, match="has no 'X', 'Ω': read as unknown"):
        said = list(stream_text(run, "ΩXto", 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert said == list(stream_text(run, "ÄÖto", 5))


def test_what_writes_no_text_is_refused(run):
    with pytest.raises(UsageError, match="length=-1"):
        stream_text(run, length=-1)
    with pytest.raises(UsageError, match="temperature=-2"):
        stream_text(run, temperature=-2)
    run.model = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match="writes no text"):
        stream_text(run)
