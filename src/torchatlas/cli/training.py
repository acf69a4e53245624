"""`train`: one run, from the first step or from where it stopped."""

import json
import sys
from typing import Any

import click
from click.core import ParameterSource

from . import options as o


@click.command(short_help="Train a method on data.")
@click.argument("name", required=False)
@o.described
@o.budget
@o.transfer
@click.option("--seed", type=int, help="Draws the split, the weights and all noise.")
@o.device
@o.settings
@o.out
@click.option("--resume", metavar="RUN", help="Go on with the run in this folder.")
@click.option("--replay", metavar="FOLDER", help="Run a failed step again: RUN/failures/step-N.")
@click.option("--shards", type=int, metavar="K", help="Cut batches in K: any number of processes agrees.")
@click.option("--save-every", type=float, metavar="SECONDS", help="Time between checkpoints (60).")
@click.option("--smoke", is_flag=True, help="One batch of everything, to see that it works.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard scalars into the run folder.")
@o.as_json
def train(
    name: str | None,
    data: str,
    settings: tuple[str, ...],
    out: str | None,
    resume: str | None,
    replay: str | None,
    smoke: bool,
    tensorboard: bool,
    as_json: bool,
    **words: Any,
) -> None:
    """Train NAME (a method, module:Thing of your own, or a run.yaml) on data; test it once at the end."""
    from ..engine.errors import UsageError
    from ..study.training import train as study

    if replay:
        module, what = study.replay(replay)
        click.echo(f"{module or 'nothing'}: {what}")
        return
    if bool(name) == bool(resume):
        raise UsageError("say what to train: torchatlas train NAME, or torchatlas train --resume RUN")
    listeners = listeners_for(name or "", as_json, tensorboard, resume or out)
    if resume:
        run = study.resume(resume, listeners=listeners, **_only_budget(words))
    else:
        said = o.gather(settings, **words)
        run = study.train(name, data, out=out, listeners=listeners, smoke=smoke, **said)
    _tell(run, as_json)


def _only_budget(words: dict[str, Any]) -> dict[str, Any]:
    """The budget; other words that were said would change nothing, so they are refused."""
    from ..engine.errors import UsageError

    context = click.get_current_context()
    kept = ("resume", "epochs", "steps", "minutes", "as_json", "tensorboard")
    for option in context.command.params:
        said = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if said and option.name not in kept:
            raise UsageError(
                f"a resumed run keeps its recipe, so {option.opts[0]} cannot be said with --resume; "
                "only --epochs, --steps and --minutes can"
            )
    return {key: words[key] for key in ("epochs", "steps", "minutes")}


def listeners_for(name: str, as_json: bool, tensorboard: bool, folder: str | None) -> list[Any]:
    """What tells of a run as it goes on: events, lines or a bar, and TensorBoard where it was asked for."""
    from ..engine.errors import UsageError
    from ..engine.progress import JsonProgress, PlainProgress, TensorBoard, TerminalProgress

    if o.process() > 0:
        return []
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
    if o.process() > 0:
        return
    if as_json:
        click.echo(json.dumps({"event": "result", "folder": str(run.folder), **run.result}))
        return
    for note in run.result["notes"]:
        click.echo(f"note: {note}")
    scores = ", ".join(f"{name} {value:.4g}" for name, value in run.scores.items())
    click.echo(f"test: {scores or 'this method has no score; look at its samples'}")
    click.echo(f"run: {run.folder}")
