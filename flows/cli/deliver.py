"""``secondread deliver``: bring deliveries on that were given up or are failing."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from flows.cli.console import errors, output, print_json
from flows.cli.context import settings
from flows.cli.deliveries import delivery_json, print_deliveries, study_id
from flows.cli.errors import CommandError, failing_on
from flows.cli.journals import journal
from flows.journal import ACTIVE_JOB_STATES, FINAL_JOB_STATES, DeliveryRecord, DeliveryState, Journal
from flows.loops import PassIncomplete
from flows.settings import Settings

__all__ = ["app"]

app = typer.Typer(add_completion=False)


def _send_now(opened: Journal, configured: Settings, chosen: list[int]) -> None:
    from flows.delivery import deliver_now  # noqa: PLC0415

    with failing_on(PassIncomplete):
        deliver_now(opened, configured, chosen)


def _arrived(one: DeliveryRecord) -> bool:
    """Return whether a destination has it: also where it was asked to commit it and has not answered yet."""
    return one.delivered or (one.state == "awaiting" and one.transaction_uid is not None)


def _conclude(after: list[DeliveryRecord], unknown: list[DeliveryRecord], *, now: bool) -> None:
    if not after and not unknown:
        output.print("nothing to deliver: no such delivery is dead or failing")
        return
    if now and after:
        print_deliveries(after)
    elif after:
        output.print(f"{len(after)} deliveries are tried again by the running service, or with --now here")
    for name, number in sorted(Counter(one.destination for one in unknown).items()):
        errors.print(
            f"{number} deliveries to {name} stay as they are: no node {name!r} is configured any more; "
            "configure it and say so again, or have the study read again for other destinations with "
            "`secondread reprocess`",
            markup=False,
        )
    missing = [one for one in after if now and not _arrived(one)]
    if any(one.dead_reason == "kept-object" for one in missing):
        errors.print("`secondread reprocess STUDY` makes objects that are gone again", markup=False)
    on_their_way = sum(one.job_state in ACTIVE_JOB_STATES for one in missing)
    if on_their_way:
        errors.print(f"{on_their_way} deliveries are left to the run of their job", markup=False)
    bad = len(missing) + len(unknown)
    if bad:
        raise CommandError(f"{bad} of {len(after) + len(unknown)} deliveries have not arrived")


def _chosen(
    opened: Journal, study: int | None, destination: str | None, *, dead_only: bool, now: bool
) -> list[DeliveryRecord]:
    states: tuple[DeliveryState, ...] = ("dead",) if dead_only else ("dead", "failed", "pending")
    found = opened.find_deliveries(study_id=study, states=states, destination=destination)
    # What was revived for the service can be sent here all the same; a run sends what is its own.
    return [one for one in found if one.state != "pending" or (now and one.job_state in FINAL_JOB_STATES)]


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
    commitment is asked for instead. What goes to a node that is not configured any more stays dead.
    """
    if not retry:
        raise CommandError("say --retry: deliveries go by themselves until they are dead", 2)
    if study is None and destination is None and not all_dead:
        raise CommandError("which? name a study, --destination NODE or --all-dead", 2)
    configured = settings()
    with journal(configured) as opened:
        found = _chosen(opened, study_id(opened, study), destination, dead_only=all_dead, now=now)
        unknown = [one for one in found if one.destination not in configured.nodes]
        chosen = [one.id for one in found if one.destination in configured.nodes]
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
        print_json([delivery_json(one) for one in [*after, *unknown]])
        if unknown or (now and not all(_arrived(one) for one in after)):
            raise typer.Exit(1)
    else:
        _conclude(after, unknown, now=now)
