"""``secondread deliveries``: every result object on its way to every destination."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, get_args

import typer

from flows.cli.console import output, print_json, table
from flows.cli.context import settings
from flows.cli.errors import CommandError
from flows.cli.journals import journal
from flows.journal import DeliveryRecord, DeliveryState, Journal

__all__ = ["app", "check_destination", "delivery_json", "print_deliveries", "study_id"]

app = typer.Typer(add_completion=False)


def study_id(opened: Journal, reference: str | None) -> int | None:
    """Return the number of a study by UID or pseudonym; CommandError where the journal knows none."""
    if reference is None:
        return None
    study = opened.find_study(reference)
    if study is None:
        raise CommandError(f"the journal knows no study {reference}")
    return study.id


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def print_deliveries(deliveries: Sequence[DeliveryRecord], *, every_object: bool = True) -> None:
    """Print deliveries as a table for people: every object, or one row for all that share their fate."""
    if not every_object:
        _print_groups(deliveries)
        return
    rows = table(
        "study",
        "job",
        "kind",
        "destination",
        "state",
        "attempts",
        "since",
        "stored",
        "committed",
        "last error",
    )
    for one in deliveries:
        rows.add_row(
            one.pseudonym,
            str(one.job_id),
            one.kind,
            one.destination,
            one.state,
            str(one.attempts),
            _time(one.state_at),
            _time(one.stored_at),
            _time(one.committed_at),
            _error(one),
        )
    output.print(rows)


def _error(one: DeliveryRecord) -> str:
    reason = f"{one.dead_reason}: " if one.dead_reason else ""
    return reason + (one.error or "")


def _print_groups(deliveries: Sequence[DeliveryRecord]) -> None:
    groups: dict[tuple[str, ...], list[DeliveryRecord]] = {}
    for one in deliveries:
        key = (one.pseudonym, str(one.job_id), one.destination, one.state, _error(one))
        groups.setdefault(key, []).append(one)
    rows = table("study", "job", "destination", "objects", "state", "attempts", "since", "last error")
    for (pseudonym, job, destination, state, error), members in groups.items():
        rows.add_row(
            pseudonym,
            job,
            destination,
            str(len(members)),
            state,
            str(max(one.attempts for one in members)),
            _time(max(one.state_at for one in members)),
            error,
        )
    output.print(rows)


def delivery_json(one: DeliveryRecord) -> dict[str, Any]:
    """Return a delivery as JSON values, without the path of the kept file."""
    return {
        "id": one.id,
        "study": one.pseudonym,
        "job": one.job_id,
        "route": one.route,
        "revision": one.revision,
        "kind": one.kind,
        "sop_class_uid": one.sop_class_uid,
        "sop_instance_uid": one.sop_instance_uid,
        "destination": one.destination,
        "state": one.state,
        "delivered": one.delivered,
        "attempts": one.attempts,
        "error": one.error,
        "dead_reason": one.dead_reason,
        "created_at": one.created_at,
        "state_at": one.state_at,
        "sent_at": one.sent_at,
        "stored_at": one.stored_at,
        "committed_at": one.committed_at,
        "commitment_requests": one.commitment_requests,
        "asked_at": one.asked_at,
        "transaction_uid": one.transaction_uid,
    }


def check_destination(opened: Journal, destination: str | None) -> None:
    """Raise CommandError for a name that neither the settings nor the journal know: a slip of the pen."""
    if destination is None or destination in settings().nodes:
        return
    if not opened.find_deliveries(destination=destination, limit=1):
        known = ", ".join(sorted(settings().nodes)) or "none"
        raise CommandError(f"there is no node {destination!r} in the settings; there are: {known}", 2)


def _checked(states: Sequence[str]) -> tuple[DeliveryState, ...]:
    known: tuple[DeliveryState, ...] = get_args(DeliveryState)
    unknown = [state for state in states if state not in known]
    if unknown:
        raise CommandError(f"there is no state {unknown[0]!r}, only {', '.join(known)}", 2)
    return tuple(state for state in known if state in states)


@app.command()
def command(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="One study: Study Instance UID or pseudonym.")
    ] = None,
    *,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATE", help="Only in this state; may be given several times."),
    ] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", metavar="NODE", help="Only to this destination.")
    ] = None,
    objects: Annotated[
        bool, typer.Option("--objects", help="A row for every object instead of one for all of one fate.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many objects to look at, the latest.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show deliveries: pending, sent (no commitment offered), awaiting, committed, failed or dead, and why.

    What failed is sent again by itself; what is dead waits for `secondread deliver --retry`.
    """
    states = _checked(state or ())
    with journal(settings()) as opened:
        check_destination(opened, destination)
        found = opened.find_deliveries(
            study_id=study_id(opened, study), states=states, destination=destination, limit=limit
        )
    if as_json:
        print_json([delivery_json(one) for one in found])
    elif found:
        print_deliveries(found, every_object=objects)
    else:
        output.print("no such delivery")
