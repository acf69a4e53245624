import pytest

import torchatlas
from torchatlas.cards import certificate
from torchatlas.cards.certificate import Certificate, Line
from torchatlas.cards.reader import UnknownName, catalog
from torchatlas.study.verify import verify as machinery
from torchatlas.study.verify.references import Test
from torchatlas.study.verify.verify import chosen, proofs, renew, verify

LINE = Line("law", "keeps_the_shape", "study/laws/activations.py", True, clock=0.1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Laws that take no time and a reference of one test; the pages that were run."""
    pages: list[str] = []

    def run_page(page, home):
        pages.append(page)
        return [Test("test_one", True, 0.2)]

    monkeypatch.setattr(machinery, "law_lines", lambda card: [LINE])
    monkeypatch.setattr(machinery, "figure_lines", lambda card: [])
    monkeypatch.setattr(machinery, "run_page", run_page)
    return pages


def test_a_page_s_reference_is_run_once_for_all_its_methods(quick):
    names = ["relu", "elu", "gelu", "sigmoid"]
    found = list(proofs(chosen(names), jobs=1))
    assert [c.name for c in found] == names
    assert quick == ["tests/nn/activations/test_rectified.py", "tests/nn/activations/test_s_shaped.py"]
    assert all([line.kind for line in c.lines] == ["law", "reference"] and c.passes for c in found)


def test_it_says_what_it_depends_on(quick):
    (relu,), (vae,) = (list(proofs(chosen(name))) for name in ("relu", "vae"))
    assert relu.pages == ("study/laws/activations.py",)
    assert {"generative/variational/vae.py", "engine/learner.py"} <= set(vae.pages)
    assert not certificate.why_stale(catalog()["vae"], vae)
    assert dict(vae.versions).keys() >= {"python", "torch"} and vae.date and vae.tests


def test_without_tests_the_reference_is_told_as_stored(quick, monkeypatch, tmp_path):
    card = catalog()["relu"]
    (whole,) = proofs([card])
    monkeypatch.setattr(certificate, "checkout", lambda root=None: None)
    monkeypatch.setattr(certificate, "stored", lambda card: whole)
    (proof,) = proofs([card])
    assert [line.kind for line in proof.lines] == ["law", "reference"]
    assert (
        proof.lines[1].passes and "fresh" in proof.lines[1].message and whole.date in proof.lines[1].message
    )
    assert len(quick) == 1


def test_names_aliases_all_and_wrong_names():
    assert [card.name for card in chosen(["silu", "swish", "relu"])] == ["swish", "relu"]
    assert len(chosen("all")) == len(catalog())
    with pytest.raises(UnknownName, match="did you mean relu"):
        verify("rellu")


def test_a_method_whose_laws_cannot_start_fails_alone(monkeypatch, quick):
    def law_lines(card):
        if card.name == "elu":
            raise ImportError("its page is broken")
        return [LINE]

    monkeypatch.setattr(machinery, "law_lines", law_lines)
    elu, relu = proofs(chosen(["elu", "relu"]), jobs=1)
    assert elu.passes is False and "its page is broken" in elu.lines[0].message and relu.passes


def test_processes_prove_as_one_does(monkeypatch):
    monkeypatch.setattr(certificate, "checkout", lambda root=None: None)
    alone, together = (verify(["relu", "lr_step", "l1_loss"], jobs=jobs) for jobs in (1, 2))
    assert [[(x.name, x.passes) for x in c.lines] for c in alone] == [
        [(x.name, x.passes) for x in c.lines] for c in together
    ]
    assert all(c.passes for c in together)


def test_renewing_proves_what_is_stale_and_keeps_the_rest(quick, monkeypatch, tmp_path):
    store = tmp_path / "store"
    cards = {name: catalog()[name] for name in ("relu", "elu", "l1_loss")}
    monkeypatch.setattr(machinery, "catalog", lambda: cards)
    for function in (certificate.stored, certificate.stale, certificate.write):
        monkeypatch.setattr(function, "__defaults__", (store,))
    monkeypatch.setattr(certificate, "STORE", store)
    (store / "gone").mkdir(parents=True)
    (store / "gone" / "family.json").write_text("{}\n")
    assert [c.name for c in renew(jobs=1)] == ["relu", "elu", "l1_loss"]
    assert {p.relative_to(store).as_posix() for p in store.rglob("*.json")} == {
        "nn/activations.json",
        "losses.json",
    }
    assert list(renew(jobs=1)) == []
    kept = certificate.stored(cards["elu"])
    assert isinstance(kept, Certificate) and kept.passes
    del cards["elu"]
    list(renew(jobs=1))
    assert certificate.stored(catalog()["elu"]) is None and certificate.stored(cards["relu"]) is not None


def test_the_root_proves_too():
    if "verify" in torchatlas.VERBS:
        assert torchatlas.verify is verify
