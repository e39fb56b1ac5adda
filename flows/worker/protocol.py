"""What the worker and its warm processes say to each other: one JSON object a line over a socket."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

__all__ = ["Done", "Message", "Ready", "Run", "Stop", "receive", "send"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Run(_Message):
    """Worker to child: execute this flow run; ``flow_run`` is Prefect's record of it."""

    kind: Literal["run"] = "run"
    flow_run_id: str
    entrypoint: str
    flow_run: dict[str, Any]


class Stop(_Message):
    """Worker to child: end."""

    kind: Literal["stop"] = "stop"


class Ready(_Message):
    """Child to worker: everything is imported, loaded and warmed up."""

    kind: Literal["ready"] = "ready"
    memory_bytes: int
    seconds: float


class Done(_Message):
    """Child to worker: the flow run ended here, in this state."""

    kind: Literal["done"] = "done"
    flow_run_id: str
    state: str
    memory_bytes: int
    error: str | None = None


Message = Annotated[Run | Stop | Ready | Done, Field(discriminator="kind")]
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Message)


async def send(writer: asyncio.StreamWriter, message: Message) -> None:
    """Write one message and wait until it has left."""
    writer.write(_MESSAGES.dump_json(message) + b"\n")
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """Read one message; None when the other side is gone."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return None
    return _MESSAGES.validate_json(line) if line.endswith(b"\n") else None
