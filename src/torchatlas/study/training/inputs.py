"""What a run trains on: its name, its fingerprint, and the parts prepared as the method wants them."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ... import data as sources
from ...cards.card import Card
from ...data.files import Files
from ...data.spec import Dataset, Part
from ...engine.errors import AtlasError
from .build import is_classical, wanted_context, wanted_scaling, wanted_size
from .recipe import Recipe, read_recipe
from .words import teacher_of


def data_name(data: Any, dataset: Dataset) -> str:
    """How a recipe calls its data: the words of the user with absolute paths, or the set's own name."""
    if not isinstance(data, str):
        return dataset.name
    kind, colon, path = data.partition(":")
    if colon and Path(path).exists():
        return f"{kind}:{Path(path).resolve()}"
    return str(Path(data).resolve()) if not colon and Path(data).exists() and dataset.name != data else data


def dataset_stem(data: str) -> str:
    """A short name for a folder: "csv:/a/b.csv" -> "b"."""
    return (
        "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(data.rpartition(":")[2]).stem) or "data"
    )


def prepare(recipe: Recipe, card: Card, dataset: Dataset, method: Any = None) -> sources.Prepared:
    """Split and prepared as the recipe and the method want it."""
    classical = is_classical(card)
    sized = dataset.modality == "image" and (not classical or teacher_of(recipe.options) is not None)
    size = wanted_size(card, recipe.options, method) if sized else None
    prepared = sources.prepare(
        dataset,
        seed=recipe.seed,
        input_size=size,
        scaling="standard" if classical else wanted_scaling(card, method),
        test=recipe.test,
        valid=recipe.valid,
        split=recipe.split,
        fold=recipe.fold,
        labels=recipe.labels,
        imbalance=recipe.imbalance,
        context=wanted_context(card, recipe.options, method) if dataset.modality == "text" else None,
        wanted_by=recipe.method,
    )
    if classical:
        prepared = sources.held(prepared, recipe.seed)
    prepared.notes.extend(_teacher_note(recipe, dataset))
    if recipe.data_fingerprint not in (None, fingerprint(dataset)):
        raise AtlasError(
            f"{recipe.data} is not the data that this run began with (its fingerprint differs); "
            "put the old data back, or start a new run"
        )
    return prepared


def _teacher_note(recipe: Recipe, dataset: Dataset) -> list[str]:
    """A teacher that was trained on another split has seen rows of this run's test part."""
    folder = teacher_of(recipe.options)
    if folder is None or len(dataset.test):
        return []
    teacher = read_recipe(folder / "run.yaml")
    if (teacher.data, teacher.seed) == (recipe.data, recipe.seed):
        return []
    split = f"{teacher.data}, seed {teacher.seed}"
    return [f"the teacher was trained on another split ({split}): it may have seen rows of this test part"]


def fingerprint(dataset: Dataset) -> str:
    """A short hash of the raw data and of what orders its split: what a run goes on with must be the same.

    Of images that stay in their files, it is made of the names of the files below the folder and their sizes
    in bytes, in place of the pixels (`Files.told`).
    """
    digest = hashlib.blake2b(digest_size=8)
    parts = (dataset.inputs, dataset.target, dataset.group, dataset.time, dataset.weight, dataset.test)
    for values in parts:
        if isinstance(values, pd.DataFrame | pd.Series):
            names = list(values.columns) if isinstance(values, pd.DataFrame) else [values.name]
            digest.update(repr(names).encode())
            digest.update(pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes())
        elif isinstance(values, Files):
            digest.update(values.told())
        elif values is not None:
            array = np.ascontiguousarray(values)
            digest.update(f"{array.shape} {array.dtype}".encode())
            digest.update(array.tobytes() if array.dtype != object else repr(array.tolist()).encode())
    return digest.hexdigest()


def first_rows(part: Part | None, count: int) -> Part | None:
    """The first rows of a part, for a trial of everything."""
    if part is None:
        return None
    cut = {f: getattr(part, f)[:count] for f in ("x", "y", "rows", "weight") if getattr(part, f) is not None}
    return dataclasses.replace(part, **cut)
