"""`list` and `show`: the catalog, read without importing torch."""

import json

import click

from ..cards import reader, text
from ..cards.certificate import certificate_json
from . import options as o


@click.command("list", short_help="List the methods of the atlas.")
@click.argument("words", default="", metavar="[TEXT]")
@click.option("--family", default="", help="Only this folder of the atlas: nn, optim/schedules …")
@click.option("--topic", default="", help="Only methods with this topic.")
@click.option("--kind", default="", help="Only this kind: network, loss, optimizer …")
@o.as_json
def list_methods(words: str, family: str, topic: str, kind: str, as_json: bool) -> None:
    """List the methods of the atlas; TEXT: those whose name, title or topics hold it."""
    cards = text.select(reader.catalog().values(), family=family, topic=topic, kind=kind, text=words)
    if as_json:
        click.echo(json.dumps(text.list_json(cards), indent=1))
    elif cards:
        click.echo(text.list_text(cards))
    else:
        click.echo("no method fits; torchatlas list shows them all", err=True)
        raise click.exceptions.Exit(1)


@click.command(short_help="Show what a method is.")
@click.argument("name")
@click.option("--cost", is_flag=True, help="What one call costs, layer by layer, in place of the card.")
@o.settings
@o.as_json
def show(name: str, cost: bool, settings: tuple[str, ...], as_json: bool) -> None:
    """Show what the method NAME is: formula, paper, options, certificate.

    With --cost: parameters, multiply-adds and bytes of activations for one sample. Options and the input's
    shape by --set, as in --set "input=(1, 3, 224, 224)".
    """
    if cost:
        _show_cost(name, settings, as_json)
        return
    if settings:
        raise click.UsageError("--set changes what --cost counts: say --cost too")
    card = reader.find(name)
    if as_json:
        click.echo(json.dumps(text.list_json([card])[0] | {"certificate": certificate_json(card)}, indent=1))
    else:
        click.echo(text.show_text(card))


def _show_cost(name: str, settings: tuple[str, ...], as_json: bool) -> None:
    from ..study.inspecting.costing import cost

    found = cost(name, **o.gather(settings))
    click.echo(json.dumps(found.as_json(), indent=1) if as_json else found.text())
