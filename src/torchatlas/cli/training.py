"""`train`: one run, from the first step or from where it stopped."""

import sys
from typing import Annotated, Any

import typer

from . import options as o


def train(
    name: Annotated[
        str | None, typer.Argument(help="A method, module:Thing of your own, or a run.yaml.")
    ] = None,
    data: o.Data = "digits",
    target: o.Target = None,
    task: o.Task = None,
    group: o.Group = None,
    time: o.Time = None,
    epochs: o.Epochs = None,
    steps: o.Steps = None,
    minutes: o.Minutes = None,
    seed: Annotated[int | None, typer.Option(help="Draws the split, the weights and all noise.")] = None,
    device: o.Device = None,
    settings: o.Set = None,
    out: o.Out = None,
    resume: Annotated[str | None, typer.Option(help="Go on with the run in this folder.")] = None,
    replay: Annotated[str | None, typer.Option(help="Run a failed step again: RUN/failures/step-N.")] = None,
    save_every: Annotated[float | None, typer.Option(help="Seconds between checkpoints (60).")] = None,
    smoke: Annotated[bool, typer.Option(help="One batch of everything, to see that it works.")] = False,
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard scalars into the run folder.")] = False,
    as_json: o.Json = False,
) -> None:
    """Train a method on data; test it once at the end."""
    from ..engine.errors import Interrupted, UsageError
    from ..study import train as study

    if replay:
        module, what = study.replay(replay)
        typer.echo(f"{module or 'nothing'}: {what}")
        return
    if bool(name) == bool(resume):
        raise UsageError("say what to train: torchatlas train NAME, or torchatlas train --resume RUN")
    budget = {"epochs": epochs, "steps": steps, "minutes": minutes}
    folder = resume or out
    listeners = _listeners(name or "", as_json, tensorboard, folder)
    try:
        if resume:
            run = study.resume(resume, listeners=listeners, **budget)
        else:
            words = {"target": target, "task": task, "group": group, "time": time, "save_every": save_every}
            said = o.gather(settings, **budget, **words, seed=seed, device=device)
            run = study.train(name, data, out=out, listeners=listeners, smoke=smoke, **said)
    except Interrupted as error:
        where = folder or "RUN"
        raise Interrupted(f"{error}. Go on with: torchatlas train --resume {where}") from None
    _tell(run, as_json)


def _listeners(name: str, as_json: bool, tensorboard: bool, folder: str | None) -> list[Any]:
    from ..engine.errors import UsageError
    from ..engine.progress import JsonProgress, PlainProgress, TensorBoard, TerminalProgress

    shown = JsonProgress() if as_json else TerminalProgress(name) if sys.stderr.isatty() else PlainProgress()
    if not tensorboard:
        return [shown]
    if folder is None:
        raise UsageError("--tensorboard writes into the run folder: name it with --out")
    try:
        return [shown, TensorBoard(f"{folder}/tensorboard")]
    except ImportError as error:
        raise UsageError("TensorBoard is not installed: pip install 'torchatlas[track]'") from error


def _tell(run: Any, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps({"event": "result", "folder": str(run.folder), **run.result}))
        return
    for note in run.result["notes"]:
        typer.echo(f"note: {note}")
    scores = ", ".join(f"{name} {value:.4g}" for name, value in run.scores.items())
    typer.echo(f"test: {scores or 'this method has no score; look at its samples'}")
    typer.echo(f"run: {run.folder}")
