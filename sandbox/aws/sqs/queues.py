"""Queues and their messages, without any protocol. Time is told to them.

Source: the SQS developer guide. A message that was received is invisible until its timeout; then it can be received
again, with a higher ApproximateReceiveCount, and after `maxReceiveCount` times it moves to the dead-letter queue.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

DEFAULTS: Mapping[str, str] = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
}


@dataclass(slots=True)
class Message:
    """One message."""

    message_id: str
    body: str
    sent: float
    """Seconds since the epoch."""
    visible: float
    """When it can be received."""
    number: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    received: int = 0
    first_received: float | None = None
    handle: str = ""
    """The latest receipt handle; earlier ones are worth nothing."""

    @property
    def md5(self) -> str:
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest()

    def in_flight(self, now: float) -> bool:
        return bool(self.handle) and self.visible > now


class Queue:
    """One queue. `watchers` are told when a message comes in."""

    def __init__(self, arn: str, name: str, attributes: Mapping[str, str], now: float, random: Random) -> None:
        self.arn = arn
        self.name = name
        self.attributes = {**DEFAULTS, **attributes}
        self.created = self.modified = now
        self.messages: dict[str, Message] = {}
        """By message id, in the order in which they came in."""
        self.watchers: list[Callable[[], None]] = []
        self.tags: dict[str, str] = {}
        self._random = random
        self._last = 0

    def setting(self, name: str) -> int:
        return int(self.attributes[name])

    def put(
        self, body: str, now: float, delay: float | None = None, attributes: Mapping[str, Any] | None = None
    ) -> Message:
        """A new message."""
        self._last += 1
        wait = self.setting("DelaySeconds") if delay is None else delay
        told = f"{self._random.getrandbits(128):032x}"
        message_id = f"{told[:8]}-{told[8:12]}-4{told[13:16]}-8{told[17:20]}-{told[20:]}"
        message = Message(message_id, body, now, now + wait, self._last, attributes or {})
        self.messages[message_id] = message
        for watcher in tuple(self.watchers):
            watcher()
        return message

    def take(self, most: int, timeout: float, now: float, dead: Callable[[Message], bool]) -> list[Message]:
        """Receives: those taken are invisible for `timeout` seconds.

        Args:
            most: how many at most.
            timeout: seconds.
            now: seconds since the epoch.
            dead: takes a message that was received too often; false when it has nowhere to go.
        """
        taken: list[Message] = []
        oldest = now - self.setting("MessageRetentionPeriod")
        for message in tuple(self.messages.values()):
            if message.sent < oldest:
                del self.messages[message.message_id]
            elif message.visible <= now and len(taken) < most:
                if message.received >= self.most_receives and dead(message):
                    del self.messages[message.message_id]
                    continue
                message.received += 1
                message.first_received = message.first_received or now
                message.visible = now + timeout
                message.handle = f"{message.message_id}:{message.received}:{self._random.getrandbits(64):016x}"
                taken.append(message)
        return taken

    def find(self, handle: str) -> Message | None:
        """The message of a receipt handle, if it still has it."""
        message = self.messages.get(handle.split(":", maxsplit=1)[0])
        return message if message is not None and message.handle == handle else None

    def next_visible(self, now: float) -> float | None:
        """When the next message that is invisible now can be received."""
        return min((one.visible for one in self.messages.values() if one.visible > now), default=None)

    @property
    def most_receives(self) -> float:
        policy = self._redrive()
        return float("inf") if policy is None else int(policy["maxReceiveCount"])

    @property
    def dead_letters(self) -> str | None:
        """ARN of the dead-letter queue."""
        policy = self._redrive()
        return None if policy is None else str(policy["deadLetterTargetArn"])

    def _redrive(self) -> dict[str, Any] | None:
        told = self.attributes.get("RedrivePolicy")
        policy: dict[str, Any] | None = json.loads(told) if told else None
        return policy


class Queues:
    """All queues of all accounts, by ARN."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.by_arn: dict[str, Queue] = {}

    def make(self, arn: str, attributes: Mapping[str, str], now: float) -> Queue:
        queue = Queue(arn, arn.rpartition(":")[2], attributes, now, self._random)
        self.by_arn[arn] = queue
        return queue

    def send(self, arn: str, body: str, now: float) -> None:
        """What another service sends; lost when the queue is not there."""
        queue = self.by_arn.get(arn)
        if queue is not None:
            queue.put(body, now)

    def bury(self, queue: Queue, message: Message, now: float) -> bool:
        """Moves a message to the dead-letter queue, where it keeps its id and its age."""
        grave = self.by_arn.get(queue.dead_letters or "")
        if grave is None:
            return False
        grave.messages[message.message_id] = Message(
            message.message_id, message.body, message.sent, now, message.number, message.attributes
        )
        for watcher in tuple(grave.watchers):
            watcher()
        return True
