"""Texts: Shakespeare for language models of characters."""

from ..spec import Dataset
from ..text import open_text
from . import files

HOME = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
MD5 = "6fb458f1232090904fb40fe944165e91"


def tinyshakespeare() -> Dataset:
    """A million characters of Shakespeare's plays; the last tenth is the test part."""
    for folder in files.folders("tinyshakespeare"):
        if path := files.find(folder, "input.txt"):
            dataset = open_text(path)
            break
    else:
        path = files.cache() / "tinyshakespeare" / "input.txt"
        try:
            files.write_whole(path, files.download(HOME, MD5))
        except OSError as error:
            raise files.not_found("Tiny Shakespeare", "tinyshakespeare", ["input.txt"], HOME, error) from None
        dataset = open_text(path)
    dataset.name = "tinyshakespeare"
    return dataset
