import pytest
from bench.broken import MUTATIONS, Mutation
from bench.mutations import HOME, Outcome, StaleMutation, judged, mutated, page_of

from torchatlas.cards.reader import catalog


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.method}-{m.what}")
def test_each_mutation_still_finds_its_place_and_changes_it(mutation: Mutation):
    assert mutation.method in catalog()
    text = (HOME / "src/torchatlas" / page_of(mutation)).read_text(encoding="utf-8")
    assert mutated(mutation, text) != text


def test_thirty_methods_are_broken():
    assert len(MUTATIONS) >= 30 and len({mutation.method for mutation in MUTATIONS}) >= 30


def test_a_place_that_is_gone_or_not_alone_is_an_error():
    mutation = Mutation("mlp", "sign", "a + b", "a - b", page="nn/page.py")
    assert mutated(mutation, "y = a + b\n") == "y = a - b\n"
    for text in ("y = a * b\n", "y = a + b\nz = a + b\n"):
        with pytest.raises(StaleMutation, match=r"mend mlp's mutation"):
            mutated(mutation, text)


def test_what_lives_is_shouted():
    assert "NOTHING CATCHES IT" in str(Outcome(MUTATIONS[0], ()))
    assert "keeps_the_shape" in str(Outcome(MUTATIONS[0], ("keeps_the_shape",)))


def test_a_page_that_cannot_be_used_is_not_caught():
    told = {"keeps_the_shape": "NameError: name 'nm' is not defined (relu.py, line 3)"}
    assert judged(MUTATIONS[0], told).caught_by == () and "UNUSABLE" in str(judged(MUTATIONS[0], told))
    assert judged(MUTATIONS[0], {"keeps_the_shape": "off by 2"}).caught_by == ("keeps_the_shape",)
