"""``secondread deliver``: bring deliveries on that were given up or are failing."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.console import output, print_json
from flows.cli.context import settings
from flows.cli.deliveries import delivery_json, print_deliveries, study_id
from flows.cli.errors import CommandError, failing_on
from flows.cli.journals import journal
from flows.journal import DeliveryRecord, Journal
from flows.loops import PassIncomplete
from flows.settings import Settings

__all__ = ["app"]

app = typer.Typer(add_completion=False)


def _send_now(opened: Journal, configured: Settings, chosen: list[int]) -> None:
    from flows.delivery import deliver_now  # noqa: PLC0415

    with failing_on(PassIncomplete):
        deliver_now(opened, configured, chosen)


def _conclude(after: list[DeliveryRecord], *, now: bool) -> None:
    if not after:
        output.print("nothing to deliver: no such delivery is dead or failing")
        return
    if not now:
        output.print(f"{len(after)} deliveries are tried again by the running service, or with --now here")
        return
    print_deliveries(after)
    bad = sum(one.state in {"failed", "dead"} for one in after)
    if bad:
        raise CommandError(f"{bad} of {len(after)} deliveries have not arrived")


@app.command()
def command(
    *,
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="One study: Study Instance UID or pseudonym.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Have what is dead or failing tried again from the beginning.")
    ] = False,
    destination: Annotated[
        str | None, typer.Option("--destination", metavar="NODE", help="What goes to this destination.")
    ] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every dead letter there is.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Send here and now, and tell the outcome; status 1 if it is bad.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Revive dead and failing deliveries of a study, to a destination, or all dead ones.

    The kept bytes are sent, never others. What the destination has already is not sent again: its storage
    commitment is asked for instead.
    """
    if not retry:
        raise CommandError("say --retry: deliveries go by themselves until they are dead", 2)
    if study is None and destination is None and not all_dead:
        raise CommandError("which? name a study, --destination NODE or --all-dead", 2)
    configured = settings()
    with journal(configured) as opened:
        chosen = [
            one.id
            for one in opened.find_deliveries(
                study_id=study_id(opened, study),
                states=("dead",) if all_dead else ("dead", "failed"),
                destination=destination,
            )
        ]
        opened.revive_deliveries(chosen)
        if now:
            _send_now(opened, configured, chosen)
        wanted = set(chosen)
        after = [
            one
            for one in opened.find_deliveries(study_id=study_id(opened, study), destination=destination)
            if one.id in wanted
        ]
    if as_json:
        print_json([delivery_json(one) for one in after])
        if now and any(one.state in {"failed", "dead"} for one in after):
            raise typer.Exit(1)
    else:
        _conclude(after, now=now)
