"""Ending aiokafka's clients within a bound, whatever state Kafka is in.

By itself a consumer's `stop` waits 40 s for a frozen broker to answer its LeaveGroup, a producer's for ever for the end
of its transaction; and both, cancelled while they wait, leave tasks behind that connect again when the broker is back.
This module knows the insides of aiokafka 0.14 so that no other has to.
"""

import asyncio
import contextlib
from typing import Any

END_S = 2.0
"""How long an orderly end may take: leaving the group, flushing. A broker that is there needs milliseconds."""

_KILL_S = 1.0
"""How long cancelled tasks may take to end."""

_PARTS = ("client", "_client", "_coordinator", "_fetcher", "_message_accumulator", "_sender", "_subscription")


async def end(client: Any, within_s: float = END_S) -> bool:
    """Stop an aiokafka consumer or producer, started or not; by force what takes longer than `within_s`.

    True: it ended in order, which for a consumer means that it left its group.
    """
    stopping = asyncio.ensure_future(client.stop())
    try:
        await asyncio.wait({stopping}, timeout=within_s)
    finally:
        in_order = stopping.done() and not stopping.cancelled() and stopping.exception() is None
        if not in_order:
            await _kill(client, stopping)
        _retrieve_failures(client)
    return in_order


async def _kill(client: Any, stopping: "asyncio.Future[None]") -> None:
    client._closed = True  # noqa: SLF001 - or it warns that nobody closed it
    parts = [client, *(part for name in _PARTS if (part := getattr(client, name, None)) is not None)]
    tasks = {task for task in asyncio.all_tasks() if _works_for(task, parts)} - {asyncio.current_task()}
    stopping.cancel()
    for task in tasks:
        task.cancel()
    core = getattr(client, "client", None) or client._client  # noqa: SLF001 - a consumer's is private
    for connection in core._conns.values():  # noqa: SLF001 - close() alone waits until a frozen broker took what is unsent
        if connection._writer is not None:  # noqa: SLF001 - the same
            connection._writer.transport.abort()  # noqa: SLF001 - the same
    await asyncio.wait({stopping, *tasks}, timeout=_KILL_S)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(core.close(), _KILL_S)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # retrieved, or asyncio warns that nobody did


def _retrieve_failures(client: Any) -> None:
    """Futures of a fenced producer that nobody awaits, or asyncio prints their tracebacks."""
    manager, accumulator = getattr(client, "_txn_manager", None), getattr(client, "_message_accumulator", None)
    futures = [manager._transaction_waiter] if manager is not None else []  # noqa: SLF001 - nobody else has it
    if accumulator is not None:
        futures += [batch._drain_waiter for batches in accumulator._batches.values() for batch in batches]  # noqa: SLF001 - the same
    for future in futures:
        if future is not None and future.done() and not future.cancelled():
            future.exception()


def _works_for(task: "asyncio.Task[Any]", parts: list[Any]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    worker = frame.f_locals.get("self") if frame is not None else None
    return any(worker is part for part in parts)


def abandon_commit(consumer: Any) -> None:
    """End what a cancelled `commit` leaves behind.

    aiokafka shields the request that is on its way. Left alone, it is answered whenever the broker comes back, and
    what it then raises is retrieved by nobody and told to the log with a traceback.
    """
    coordinator = getattr(consumer, "_coordinator", None)
    for task in asyncio.all_tasks():
        coro = task.get_coro()
        if getattr(coro, "__name__", "") == "_do_commit_offsets" and _works_for(task, [coordinator]):
            task.cancel()


def broken(consumer: Any) -> BaseException | None:
    """What ended a background task of a group consumer, which then returns nothing for ever and says nothing."""
    for task in (
        getattr(consumer._fetcher, "_fetch_task", None),  # noqa: SLF001 - it tells nobody
        getattr(consumer._coordinator, "_coordination_task", None),  # noqa: SLF001 - the same
    ):
        if task is not None and task.done() and not task.cancelled() and task.exception() is not None:
            error: BaseException = task.exception()
            return error
    return None
