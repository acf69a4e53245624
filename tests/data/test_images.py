import os

import numpy as np
import pytest
from PIL import Image

from torchatlas.data import check, open_dataset, prepare
from torchatlas.engine.errors import DataError, UsageError


@pytest.fixture
def folder(tmp_path, picture):
    for name in ("cat", "dog"):
        for i in range(6):
            picture(tmp_path / "pets" / name / f"{i}.png")
    return tmp_path / "pets"


def test_a_sub_folder_is_a_class(folder):
    data = open_dataset(f"folder:{folder}")
    assert data.inputs.shape == (12, 10, 12, 3)
    assert data.classes == ("cat", "dog")
    assert data.target.tolist() == [0] * 6 + [1] * 6
    for row in (0, 7):
        assert (data.inputs[row] == np.asarray(Image.open(data.files[row]))).all()


def test_what_is_no_image_is_left_out_and_said(folder):
    (folder / "cat" / "notes.txt").write_text("hello")
    (folder / "cat" / ".DS_Store").write_text("")
    (folder / ".hidden").mkdir()
    data = open_dataset(folder)
    assert len(data) == 12
    assert [n for n in data.notes if "no images: 1 file" in n and "notes.txt" in n]


def test_broken_files_are_errors_that_name_each(folder):
    whole = (folder / "cat" / "1.png").read_bytes()
    (folder / "cat" / "1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog" / "2.png").write_text("no image at all")
    (folder / "dog" / "3.png").write_bytes(b"")
    data = open_dataset(folder)
    assert len(data) == 9
    errors = [f.message for f in check(data) if f.severity == "error"]
    for name, why in (("cat/1.png", "truncated"), ("dog/2.png", "no image"), ("dog/3.png", "empty")):
        found = [e for e in errors if os.path.join(*name.split("/")) in e]
        assert len(found) == 1
        assert why in found[0]
        assert "skip_broken=True" in found[0]
    with pytest.raises(DataError, match=r"1\.png"):
        prepare(data, seed=0)
    left = open_dataset(folder, skip_broken=True)
    assert sum("left out" in f.message for f in check(left) if f.severity == "warning") == 3
    assert len(prepare(left, seed=0).train) > 0


def test_other_sizes_are_resized_to_the_commonest(folder, picture):
    picture(folder / "cat" / "big.png", (40, 40))
    data = open_dataset(folder)
    assert data.inputs.shape == (13, 10, 12, 3)
    assert any("1 of 13 images have another size" in note for note in data.notes)
    assert open_dataset(folder, size=(5, 7)).inputs.shape == (13, 5, 7, 3)


def test_grey_stays_grey_and_every_mode_is_read(tmp_path, picture):
    for i, mode in enumerate(("L", "1", "I;16")):
        picture(tmp_path / "grey" / "ab"[i % 2] / f"{i}.png", mode="L" if mode == "I;16" else mode)
    deep = np.linspace(0, 65535, 120).reshape(10, 12).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "grey" / "a" / "deep.png")
    grey = open_dataset(tmp_path / "grey")
    assert grey.inputs.shape == (4, 10, 12, 1)
    row = next(i for i, f in enumerate(grey.files) if "deep" in f)
    assert grey.inputs[row, ..., 0].max() == 255
    assert grey.inputs[row, 5, 0, 0] == pytest.approx(deep[5, 0] / 257, abs=0.51)
    for i, (mode, end) in enumerate(
        (("P", "png"), ("RGBA", "webp"), ("P", "gif"), ("L", "bmp"), ("CMYK", "jpg"))
    ):
        picture(tmp_path / "all" / "ab"[i % 2] / f"{i}.{end}", mode=mode)
    assert open_dataset(tmp_path / "all").inputs.shape == (5, 10, 12, 3)


def test_the_camera_is_turned_upright(tmp_path, picture):
    for i in range(3):
        picture(tmp_path / "a" / f"{i}.png")
    pixels = np.asarray(Image.open(tmp_path / "a" / "0.png"))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "a" / "3.png", exif=exif)
    assert (open_dataset(tmp_path, task="none").inputs[3] == pixels).all()


def test_train_and_test_folders_are_the_official_parts(tmp_path, picture):
    for part, count in (("train", 4), ("test", 2)):
        for name in ("x", "y"):
            for i in range(count):
                picture(tmp_path / part / name / f"{i}.png")
    data = open_dataset(tmp_path)
    assert data.classes == ("x", "y")
    assert [os.sep + "test" + os.sep in str(data.files[i]) for i in data.test] == [True] * 4
    assert data.target.tolist().count(0) == 6


def test_folders_without_images_or_classes(tmp_path, picture, folder):
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match=r"class folder .*bird holds no images"):
        prepare(open_dataset(folder), seed=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no sub-folders"):
        open_dataset(tmp_path / "empty")
    (tmp_path / "hollow" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match="hold no images"):
        open_dataset(tmp_path / "hollow")
    picture(tmp_path / "loose" / "a.png")
    with pytest.raises(DataError, match="move them into such sub-folders, or say task=none"):
        open_dataset(tmp_path / "loose")
    assert open_dataset(tmp_path / "loose", task="none").target is None
    with pytest.raises(DataError, match="gives classification"):
        open_dataset(folder, task="regression")
    with pytest.raises(DataError, match="is a file, not a folder"):
        open_dataset(f"folder:{tmp_path / 'loose' / 'a.png'}")


def test_images_too_large_for_memory_are_refused(folder, monkeypatch):
    monkeypatch.setattr("torchatlas.data.images.MOST_BYTES", 100)
    with pytest.raises(DataError, match=r"size=\(224, 224\)"):
        open_dataset(folder)


@pytest.mark.parametrize("level", [0, 100, 300, 65535])
def test_sixteen_bits_are_scaled_by_the_depth_and_not_by_the_picture(tmp_path, level):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((4, 4), level, np.uint16)).save(tmp_path / name / "0.png")
    data = open_dataset(tmp_path)
    assert (data.inputs == round(level / 257)).all()
    dark = [f.message for f in check(data) if "16-bit" in f.message]
    assert len(dark) == (level < 16384)


def transparent(kind):
    """A picture whose left half is clear and hides the colour (200, 10, 10), or the grey 10."""
    if kind in ("RGBA", "LA"):
        pixels = np.zeros((4, 6, len(kind)), np.uint8)
        pixels[:, :3, 0] = 200
        pixels[:, 3:, -1] = 255
        return Image.fromarray(pixels, kind), {}
    numbers = np.zeros((4, 6), np.uint8)
    numbers[:, :3] = 1
    if kind == "L":
        return Image.fromarray(numbers * 77), {"transparency": 77}
    image = Image.frombytes("P", (6, 4), numbers.tobytes())
    image.putpalette([0, 0, 0, 200, 10, 10])
    return image, {"transparency": 1}


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "L"])
def test_white_is_put_behind_what_is_transparent(tmp_path, kind):
    image, options = transparent(kind)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "0.png", **options)
    data = open_dataset(tmp_path)
    assert data.inputs.shape[3] == (1 if kind[0] == "L" else 3)
    assert (data.inputs[:, :, :3] == 255).all() and (data.inputs[:, :, 3:] == 0).all()
    assert "2 images are transparent in parts: white is put behind" in data.notes


def test_nothing_is_said_of_a_channel_that_hides_nothing(tmp_path, picture):
    picture(tmp_path / "a" / "0.png", mode="RGBA")
    picture(tmp_path / "b" / "0.png", mode="RGBA")
    assert not [note for note in open_dataset(tmp_path).notes if "transparent" in note]


def test_half_transparent_is_half_white(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGBA", (3, 3), (0, 100, 255, 51)).save(tmp_path / name / "0.png")
    np.testing.assert_allclose(open_dataset(tmp_path).inputs[0, 0, 0], [204, 224, 255], atol=1)


def test_print_colours_and_single_bits_are_right(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "print" / name).mkdir(parents=True)
        Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "print" / name / "0.jpg", quality=100)
        (tmp_path / "bits" / name).mkdir(parents=True)
        Image.fromarray(np.eye(8) > 0).save(tmp_path / "bits" / name / "0.png")
    np.testing.assert_allclose(open_dataset(tmp_path / "print").inputs[0, 4, 4], [255, 0, 0], atol=3)
    assert (open_dataset(tmp_path / "bits").inputs[0, ..., 0] == np.eye(8) * 255).all()


def test_columns_are_no_word_for_a_folder(folder):
    with pytest.raises(UsageError, match=r"holds images.*leave out target, group"):
        open_dataset(folder, target="kind", group="owner")
    with pytest.raises(UsageError, match="height and a width"):
        open_dataset(folder, size=(0, 4))
    assert open_dataset(folder, size=4).inputs.shape[1:3] == (4, 4)


def test_links_that_lead_back_are_not_followed(folder):
    (folder / "cat" / "again").symlink_to(folder / "cat")
    assert len(open_dataset(folder)) == 12


def test_loose_images_are_told(folder, picture):
    picture(folder / "loose.png")
    assert [n for n in open_dataset(folder).notes if "in no class folder" in n and "loose.png" in n]


def test_folders_of_parts_are_no_classes(tmp_path, picture):
    for part, names in (("train", "xy"), ("val", "x")):
        for name in names:
            picture(tmp_path / part / name / "0.png")
    data = open_dataset(tmp_path)
    assert (data.classes, len(data.test)) == (("x", "y"), 0)
    picture(tmp_path / "test" / "z" / "0.png")
    with pytest.raises(DataError, match="none to learn from: z"):
        prepare(open_dataset(tmp_path), seed=0)
