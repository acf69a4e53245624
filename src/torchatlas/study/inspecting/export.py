"""`export`: a trained model as one file that runs without torchatlas, checked before it is kept."""

import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn.functional import interpolate

from ... import __version__
from ...data.preprocessing import ImageEncoder, TableEncoder
from ...data.reading import listed
from ...engine.checkpoint import unwritable
from ...engine.errors import AtlasError, UsageError
from ...engine.learner import Learner
from ...engine.randomness import generator
from ...generative.autoregressive.language_model import LanguageModel
from ..training.run import Run, predict_tensor, predicts
from .subject import opened

Array = np.ndarray[Any, Any]
SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
FACTS = "torchatlas.json"  # the name of what is told of the model, among the extra files of a .pt2
TRACED, TRIED = 3, (1, 5)  # rows in the batch that is traced, and in those that the file is tried on
RTOL, ATOL = 1e-4, 1e-5
ONNX_LIMIT = 2**31  # bytes that one file of this format can hold


@dataclass(frozen=True)
class Exported:
    """A model's file: what it takes and gives, and how far its answers are from the run's own."""

    file: Path
    to: str
    facts: dict[str, Any]
    difference: float  # the largest, over batches of other sizes than the traced one

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        told = {"file": str(self.file), "to": self.to, "bytes": self.file.stat().st_size}
        return {**told, "difference": self.difference, **self.facts}

    def text(self) -> str:
        """As lines for a terminal."""
        sizes = " and ".join(map(str, TRIED))
        lines = [
            f"{word} {port['name']} {_shape(port['shape'])} {port['type']}: {port['meaning']}"
            for word, port in (("takes", self.facts["input"]), ("gives", self.facts["output"]))
        ]
        lines.append(
            f"checked: it answers as the run does (batches of {sizes}: within {self.difference:.1e})"
        )
        return "\n".join([*lines, f"{self.file}: {self.file.stat().st_size:,} bytes"])


def export(run: Run | str | Path, to: str | None = None, out: str | Path | None = None) -> Exported:
    """Write a run's model for elsewhere: raw pixels, encoded features or ids in, `predict`'s answers out.

    to: "torch" (`torch.export.load` reads it) or "onnx"; by default what the file's name says, else torch.
    out: the file; model.pt2 or model.onnx in the run's folder by default. Any batch size fits it. The scaling
    of images and the unit of a regression's target are within; what is told of inputs, outputs and classes
    is in an ONNX file's metadata and in a .pt2's extra file torchatlas.json.
    Raises UsageError for models that predict nothing or are no networks, AtlasError for one that cannot be
    traced, or whose file answers otherwise than the run: that file is not kept.
    """
    run = opened(run)
    path, to = _place(run, to, out)
    run = _on_cpu(run)
    facts = _facts(run)
    program = _traced(run)
    write, read = (write_torch, read_torch) if to == "torch" else (write_onnx, read_onnx)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            fresh = Path(folder) / path.name
            with exporting(f"{run.recipe.method} cannot be exported to {to}"):
                write(program, fresh, facts)
                difference = _difference(run, read(fresh))
            fresh.replace(path)
    except OSError as error:
        raise AtlasError(unwritable(path, error)) from error
    return Exported(path, to, facts, difference)


def _place(run: Run, to: str | None, out: str | Path | None) -> tuple[Path, str]:
    """The file and its format, from what was said of them."""
    if to not in (None, *SUFFIXES):
        raise UsageError(f"a model is exported to {' or '.join(SUFFIXES)}, not to {to!r}")
    if out is None and run.folder is None:
        raise UsageError("say where the file goes: out=FILE")
    kinds = {suffix: name for name, suffix in SUFFIXES.items()}
    kind = to or (kinds.get(Path(out).suffix) if out is not None else None) or "torch"
    path = Path(out) if out is not None else Path(str(run.folder)) / f"model{SUFFIXES[kind]}"
    if path.suffix != SUFFIXES[kind]:
        raise UsageError(
            f"a file for {kind} ends in {SUFFIXES[kind]}, as in {path.with_suffix(SUFFIXES[kind])}"
        )
    absent = [name for name in PACKAGES if find_spec(name) is None] if kind == "onnx" else []
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        raise UsageError(f"{' and '.join(absent)} {verb} not installed: pip install 'torchatlas[export]'")
    return path, kind


def _on_cpu(run: Run) -> Run:
    """The run with a copy of its model on the CPU. Raises UsageError where it is none that is exported."""
    name = run.recipe.method
    if not isinstance(run.model, Learner):
        raise UsageError(f"{name} is scikit-learn's, and only networks are exported: predict with torchatlas")
    if not predicts(run.model) and not isinstance(run.model, LanguageModel):
        raise UsageError(f"{name} predicts nothing, so there is nothing to export")
    return replace(run, model=copy.deepcopy(run.model).cpu().eval())


class Answers(nn.Module):
    """Raw inputs as numbers -> probabilities, or values in the target's own unit."""

    def __init__(self, run: Run):
        super().__init__()
        self.model, encoder, coder = run.model, run.preparation.encoder, run.preparation.coder
        self.before = Scaling(encoder) if isinstance(encoder, ImageEncoder) else nn.Identity()
        self.after = Unit(coder.mean, coder.scale) if run.spec.task == "regression" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = self.after(_predicted(self.model, self.before(x)))
        return answers


class Scaling(nn.Module):
    """Pixels (n, channels, height, width) from 0 to the brightest -> what the network takes."""

    mean: Tensor
    scale: Tensor

    def __init__(self, encoder: ImageEncoder):
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(encoder.mean).view(-1, 1, 1))
        self.register_buffer("scale", torch.tensor(encoder.scale).view(-1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels / self.encoder.maximum
        if self.encoder.raw != self.encoder.size:
            x = interpolate(x, self.encoder.size, mode="bilinear", antialias=True).clamp(0, 1)
        return (x - self.mean) / self.scale


class Unit(nn.Module):
    """Standardised values (n, targets) -> values in each target's own unit."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: tuple[float, ...], scale: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, values: Tensor) -> Tensor:
        return values * self.scale + self.mean


def _predicted(model: Any, x: Tensor) -> Tensor:
    """What a model predicts; of a language model the probabilities of each next character."""
    return model.network(x).softmax(-1) if isinstance(model, LanguageModel) else model.predict(x)


def _example(run: Run, count: int, seed: int = 0) -> Tensor:
    """Random inputs as the file takes them."""
    noise, encoder = generator(seed, "export"), run.preparation.encoder
    if isinstance(encoder, ImageEncoder):
        return torch.rand((count, encoder.channels, *encoder.raw), generator=noise) * encoder.maximum
    if run.spec.modality == "text":
        return torch.randint(run.spec.outputs, (count, *run.spec.shape), generator=noise)
    return torch.randn((count, *run.spec.shape), generator=noise)


@torch.no_grad()
def _own(run: Run, x: Tensor) -> Array:
    """The run's own answers, by the way that `predict` goes and not by the traced one."""
    if isinstance(run.preparation.encoder, ImageEncoder):
        outputs = run.outputs(x.permute(0, 2, 3, 1).numpy())
    elif isinstance(run.model, LanguageModel):
        outputs = _predicted(run.model, x).numpy()
    else:
        outputs = predict_tensor(run.model, x).numpy()
    return run.preparation.decode(outputs).to_numpy() if run.spec.task == "regression" else outputs


def _difference(run: Run, answer: Callable[[Tensor], Array]) -> float:
    """The largest difference between a file's answers and the run's. Raises AtlasError where it is too large.

    Values are compared in units of the target's scale; a float's own spacing is allowed for.
    """
    coder, worst = run.preparation.coder, 0.0
    mean, scale = (np.array(coder.mean), np.array(coder.scale)) if run.spec.task == "regression" else (0, 1)
    for count in TRIED:
        x = _example(run, count, count)
        own, found = _own(run, x), answer(x)
        if found.shape != own.shape:
            raise AtlasError(f"the file gives {found.shape} where the run gives {own.shape}: it is not kept")
        gap = np.abs(found - own)
        allowed = ATOL * scale + RTOL * np.abs(own - mean) + 2 * np.spacing(np.abs(own, dtype=np.float32))
        if not (gap <= allowed).all():
            raise AtlasError(
                f"the file's answers differ from the run's by up to {gap.max():.2g}: it is not kept"
            )
        worst = max(worst, float(gap.max()))
    return worst


def _traced(run: Run) -> ExportedProgram:
    """The program from raw inputs to answers, for any batch size."""
    rows = torch.export.Dim("n")
    with exporting(f"{run.recipe.method} cannot be exported"):
        model, x = Answers(run).eval(), _example(run, TRACED)
        program = torch.export.export(model, (x,), dynamic_shapes=({0: rows},))
    program.example_inputs = None  # would be kept as a pickle
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # tells paths of this machine
    return program


def write_torch(program: ExportedProgram, path: Path, facts: dict[str, Any]) -> None:
    """Write a program in PyTorch's own format, with the facts as an extra file."""
    torch.export.save(program, path, extra_files={FACTS: json.dumps(facts, indent=1)})


def read_torch(path: Path) -> Callable[[Tensor], Array]:
    """The program of a file, as a function from inputs to answers."""
    module = torch.export.load(path).module()
    return lambda x: module(x).detach().numpy()


def write_onnx(program: ExportedProgram, path: Path, facts: dict[str, Any]) -> None:
    """Write a program as ONNX, with the facts in its metadata."""
    size = sum(t.numel() * t.element_size() for t in program.state_dict.values())
    if size >= ONNX_LIMIT:
        raise UsageError(f"an ONNX file holds 2 GB, and this model has {size / 2**30:.1f}: say --to torch")
    names = [facts["input"]["name"]], [facts["output"]["name"]]
    table = {operation: instead for operation, instead in INSTEAD.items() if _calls(program, operation)}
    program = program.run_decompositions(table) if table else program
    made = torch.onnx.export(program, dynamo=True, verbose=False, input_names=names[0], output_names=names[1])
    assert made is not None
    shape = made.model.graph.inputs[0].shape
    assert shape is not None
    made.rename_axes({str(shape[0]): "n"})
    as_words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    made.model.metadata_props.update(as_words)
    made.save(path)


def _calls(program: ExportedProgram, operation: Any) -> bool:
    return any(node.target is operation for node in program.graph.nodes)


def _largest_of_windows(x: Tensor, size: list[int]) -> tuple[Tensor, None]:
    """Adaptive max pooling in slices; window i of n over h pixels is ⌊ih/n⌋ to ⌈(i+1)h/n⌉."""

    def windows(dim: int, count: int) -> list[tuple[int, int]]:
        pixels = x.shape[dim]
        return [(i * pixels // count, -(-(i + 1) * pixels // count)) for i in range(count)]

    rows = [
        torch.stack(
            [x[..., top:bottom, left:right].amax((-2, -1)) for left, right in windows(-1, size[1])], -1
        )
        for top, bottom in windows(-2, size[0])
    ]
    return torch.stack(rows, -2), None


def _distances(a: Tensor, b: Tensor, p: float = 2.0, mode: int | None = None) -> Tensor:
    """All distances of rows, in the one norm that the catalog's methods take."""
    if p != 1:
        raise NotImplementedError(f"distances with p = {p}")
    return (a[..., :, None, :] - b[..., None, :, :]).abs().sum(-1)


INSTEAD: dict[Any, Callable[..., Any]] = {  # operations that ONNX lacks, in such as it has
    torch.ops.aten.adaptive_max_pool2d.default: _largest_of_windows,
    torch.ops.aten.cdist.default: _distances,
}


def read_onnx(path: Path) -> Callable[[Tensor], Array]:
    """The model of a file in ONNX Runtime, as a function from inputs to answers."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x.numpy()})[0]


def _facts(run: Run) -> dict[str, Any]:
    """What a user of the file must know of the model, as plain values."""
    spec, coder = run.spec, run.preparation.coder
    facts: dict[str, Any] = {
        "made_by": f"torchatlas {__version__}",
        "method": run.recipe.method,
        "task": spec.task,
        "input": _input(run),
        "output": _output(run),
        "classes": list(spec.classes),
    }
    encoder = run.preparation.encoder
    if isinstance(encoder, TableEncoder):
        facts["features"] = list(encoder.names)
    if isinstance(encoder, ImageEncoder):
        facts["scaling"] = {word: getattr(encoder, word) for word in ("maximum", "size", "mean", "scale")}
    if spec.task == "regression":
        facts["unit"] = {"mean": coder.mean, "scale": coder.scale}
    return facts


def _input(run: Run) -> dict[str, Any]:
    """The input: its name, type, shape with n for the rows, and meaning."""
    encoder, shape = run.preparation.encoder, ["n", *run.spec.shape]
    if isinstance(encoder, ImageEncoder):
        meaning = f"brightness from 0 to {encoder.maximum:g}; it is scaled within"
        return _port("pixels", ["n", encoder.channels, *encoder.raw], meaning)
    if run.spec.modality == "text":
        meaning = (
            "places of characters in the classes, 0 where unknown; a shorter text is filled up at its end"
        )
        return {**_port("ids", shape, meaning), "type": "int64"}
    return _port("features", shape, "what torchatlas.load(RUN).preparation.encode(table) gives")


def _output(run: Run) -> dict[str, Any]:
    """The output, told as the input is."""
    spec, names = run.spec, listed(run.spec.classes)
    match spec.task:
        case "language":
            meaning = "of each next character, told by those before it alone"
            return _port("probabilities", ["n", *spec.shape, spec.outputs], meaning)
        case "regression":
            return _port("values", ["n", spec.outputs], f"{names}, in the target's own unit")
        case "multilabel":
            return _port("probabilities", ["n", spec.outputs], f"of the labels {names}")
    return _port("probabilities", ["n", spec.outputs], f"of the classes {names}")


def _port(name: str, shape: list[Any], meaning: str) -> dict[str, Any]:
    return {"name": name, "type": "float32", "shape": shape, "meaning": meaning}


def _shape(shape: list[Any]) -> str:
    return f"({', '.join(map(str, shape))})"


@contextmanager
def exporting(trying: str) -> Iterator[None]:
    """Turn any error within into an AtlasError of one line; keep PyTorch quiet of what it does inside."""
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")
    registry.addFilter(_is_news)
    try:
        with warnings.catch_warnings():
            # PyTorch's recurrent layers keep a list of their own weights.
            warnings.filterwarnings("ignore", "The tensor attributes .*_flat_weights", UserWarning)
            # Its ONNX exporter asks its own trees by a name that it is about to drop.
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
            yield
    except (AtlasError, OSError):
        raise
    except Exception as error:  # tracing raises many kinds on what it cannot follow
        cause = error.__cause__ or error
        line = str(cause).strip().partition("\n")[0]
        raise AtlasError(f"{trying}: {line or type(cause).__name__}") from error
    finally:
        registry.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """All but that torchvision, which no network here uses, is not installed."""
    return "torchvision is not installed" not in record.getMessage()
