"""What all partitions of one worker share: threads, readers, views, the connector, the hook of the steps."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import structlog

from connector.model.results import Wait
from connector.ports import Clock
from connector.settings import Settings

from .accounts import AccountsView
from .lanes import Delivery
from .ledger import Ledger
from .outbox import Outbox
from .publish import PartitionWriter
from .topics import TopicNames
from .views import POINT_FETCH_BYTES, PartitionReader

log = structlog.get_logger(__name__)


class Step(IntEnum):
    """The numbered steps of a request's life, as `streams.users` describes them."""

    DECODE = 1
    LEDGER = 2
    READ = 3
    PLAN = 4
    CHECK = 5
    INTENT = 6
    EXECUTE = 7
    OUTCOME = 8
    FINISH = 9


StepHook = Callable[[Step, Delivery, Mapping[str, Any]], None]
"""Called as each step begins: the sandbox shows them, the torture tests kill the worker there."""


def log_step(step: Step, delivery: Delivery, facts: Mapping[str, Any]) -> None:
    """The default hook: finished requests at info, the rest at debug."""
    record = delivery.record
    say = log.info if step is Step.FINISH else log.debug
    request_id = delivery.memo.request.request_id if delivery.memo is not None else None
    say(
        f"request.{step.name.lower()}",
        request_id=request_id,
        key=(record.key or b"").decode("utf-8", "replace"),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        **facts,
    )
