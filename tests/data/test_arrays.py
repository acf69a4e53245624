import numpy as np
import pandas as pd
import pytest
import torch

from torchatlas.data import open_dataset
from torchatlas.engine.errors import DataError, UsageError

draw = np.random.default_rng(0)
X, Y = draw.normal(size=(20, 3)), draw.integers(0, 2, 20)


def test_arrays_tensors_and_frames_are_tables():
    for inputs in (X, torch.from_numpy(X), X.tolist(), pd.DataFrame(X, columns=["x0", "x1", "x2"])):
        data = open_dataset((inputs, Y))
        np.testing.assert_allclose(data.inputs[["x0", "x1", "x2"]], X)
        assert data.task == "classification"
    assert open_dataset(X).task == "none"
    assert open_dataset((X, X[:, :2])).task == "regression"


def test_weights_go_with_the_rows():
    assert open_dataset((X, Y, np.arange(20))).weight.tolist() == [*range(20)]
    for wrong in (np.full(20, -1), np.zeros(20), np.full(20, np.nan)):
        with pytest.raises(DataError, match="weights must be"):
            open_dataset((X, Y, wrong))


@pytest.mark.parametrize(
    ("shape", "raw"), [((9, 8, 6), (9, 8, 6, 1)), ((9, 8, 6, 3), (9, 8, 6, 3)), ((9, 3, 8, 6), (9, 8, 6, 3))]
)
def test_images_are_stored_channels_last(shape, raw):
    images = draw.integers(0, 256, shape, dtype=np.uint8)
    data = open_dataset((images, np.arange(9) % 3))
    assert (data.modality, data.inputs.shape, data.maximum) == ("image", raw, 255)
    if shape == (9, 3, 8, 6):
        assert (data.inputs[2, 5, 4] == images[2, :, 5, 4]).all()


def test_the_brightness_of_images_is_seen():
    assert open_dataset(draw.random((4, 5, 5))).maximum == 1
    assert open_dataset(draw.random((4, 5, 5)) * 255).maximum == 255
    assert open_dataset(draw.integers(0, 200, (4, 5, 5))).inputs.dtype == np.uint8
    with pytest.raises(DataError, match="scale them to"):
        open_dataset(draw.normal(size=(4, 5, 5)))


def test_wrong_shapes_are_named():
    for source, message in (
        ((X, Y[:5]), "20 inputs but 5 targets"),
        ((X, Y, Y, Y), "a tuple of 4"),
        (([[1, 2], [3]], [0, 1]), "different lengths"),
        (np.zeros((2, 3, 4, 5, 6)), r"shape \(2, 3, 4, 5, 6\)"),
        (np.zeros((2, 9, 9, 9)), r"expected \(n, height, width"),
    ):
        with pytest.raises(DataError, match=message):
            open_dataset(source)


def test_npz(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, X=X, y=Y)
    assert open_dataset(path).target.tolist() == Y.tolist()
    assert open_dataset(path, task="none").target is None
    np.savez(path, x=X, mood=Y)
    assert open_dataset(path, target="mood").target.tolist() == Y.tolist()
    with pytest.raises(DataError, match="no array 'mod'; did you mean 'mood'"):
        open_dataset(path, target="mod")
    with pytest.raises(DataError, match=r"no array of targets.*x \(20, 3\)"):
        open_dataset(path)


def test_an_official_test_part_in_an_npz_is_kept(tmp_path):
    images = draw.integers(0, 256, (12, 4, 4), dtype=np.uint8)
    np.savez(
        tmp_path / "k.npz", x_train=images[:8], y_train=Y[:8, None], x_test=images[8:], y_test=Y[8:12, None]
    )
    data = open_dataset(tmp_path / "k.npz")
    assert data.test.tolist() == [8, 9, 10, 11]
    assert data.target.tolist() == Y[:12].tolist()


def test_bad_npz_files(tmp_path):
    np.savez(tmp_path / "o.npz", x=np.array([{}], dtype=object))
    (tmp_path / "z.npz").write_bytes(b"PK\3\4 broken")
    with pytest.raises(DataError, match="Python objects"):
        open_dataset(tmp_path / "o.npz")
    with pytest.raises(DataError, match="no readable npz"):
        open_dataset(tmp_path / "z.npz")


def test_sparse_masked_brief_and_structured_arrays_are_read_whole():
    sparse = pytest.importorskip("scipy.sparse")
    np.testing.assert_allclose(open_dataset((sparse.csr_matrix(X), Y)).inputs, X)
    masked = open_dataset((np.ma.masked_less(X, 0), Y)).inputs
    assert (masked.isna().to_numpy() == (X < 0)).all()
    brief = open_dataset((torch.ones(20, 3).bfloat16(), torch.arange(20).bfloat16() / 8))
    assert brief.task == "regression" and (brief.inputs == 1).all(axis=None)
    named = np.zeros(20, dtype=[("a", "f4"), ("b", "i4")])
    assert [*open_dataset((named, Y)).inputs] == ["a", "b"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((X, 1), "the targets of arrays are a int"),
        ((X, iter(Y)), "one value per row"),
        ((X, Y, 1.0), "the weights of arrays are a float"),
        ((X, Y, ["a"] * 20), "weights must be one finite number"),
        ((X, [["u"], ["v", "w"]] * 10), "different lengths"),
        ((X, pd.Series([["u"]] * 20)), "the target 'target' must hold one"),
        ((X, np.array([b"a", b"b"] * 10)), "turn it into text"),
        ((X + 1j, Y), "column 'x0' .* imaginary"),
    ],
)
def test_targets_and_weights_that_cannot_be_read(parts, words):
    with pytest.raises(DataError, match=words):
        open_dataset(parts)


def test_nullable_targets_and_categories_are_plain():
    assert open_dataset((X, pd.Series(Y).astype("Int64"))).target.dtype == np.int64
    assert open_dataset((X, pd.Series(pd.Categorical(np.arange(20) % 5 / 2)))).task == "classification"


def test_words_that_arrays_cannot_take_are_refused(tmp_path):
    with pytest.raises(UsageError, match="second of"):
        open_dataset((X, Y), target="x1")
    with pytest.raises(UsageError, match="has images, no columns; leave out group"):
        open_dataset((draw.random((20, 4, 4)), Y), group="x1")
    np.savez(tmp_path / "a.npz", x=np.where([[False, False, True]] & (X > 1), -999, X), y=Y, z=Y)
    with pytest.raises(UsageError, match="one array of targets: say one of y, z"):
        open_dataset(tmp_path / "a.npz", target=["y", "z"])
    data = open_dataset(tmp_path / "a.npz", drop="x1", missing=[-999], group="x0")
    assert [*data.inputs] == ["x2"] and data.inputs["x2"].isna().sum() == (X[:, 2] > 1).sum() > 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,y\n1,2\n", "no npz file; it looks like text: for a table say csv:"),
        (b"\x89PNG\r\n\x1a\n\0\0", "PNG image: for images say folder:"),
        (b"\x93NUMPY\x01\0v\0", "npy.*np.savez"),
        (b"\x80\x04\x95\x00\x01", "pickles are not read"),
    ],
)
def test_what_is_no_npz_is_told_with_the_right_word(tmp_path, content, words):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_dataset(f"npz:{tmp_path / 'a.npz'}")
    np.savez(tmp_path / "b.npz")
    with pytest.raises(DataError, match="without any array"):
        open_dataset(tmp_path / "b.npz")
