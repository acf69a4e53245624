import os

import pytest

from torchatlas.engine.errors import AtlasError
from torchatlas.study.comparing.alone import alone_in

if os.name == "nt":
    pytest.skip("locks are others here", allow_module_level=True)


def test_two_are_never_in_one_folder(tmp_path):
    with alone_in(tmp_path / "a"):
        with pytest.raises(AtlasError, match="another comparison is at work"), alone_in(tmp_path / "a"):
            pass
        with alone_in(tmp_path / "b"):
            pass
    with alone_in(tmp_path / "a"):  # free again
        pass
