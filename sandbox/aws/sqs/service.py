"""The SQS API over the queues, as today's boto3 speaks it (JSON 1.0).

Source: the SQS API reference. A queue is named by its URL, whose host does not matter; a name that ends in `.fifo` is
refused, as there are no FIFO queues here.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.aws.call import Answer, Call, Later
from sandbox.aws.iam import AwsError

from .queues import DEFAULTS, Message, Queue, Queues

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_HANDLE = re.compile(r"[0-9a-f-]{36}:\d+:[0-9a-f]{16}")
_LONGEST_VISIBILITY_S = 43200
_LONGEST_WAIT_S = 20
_GLANCE_S = 0.05
"""How often a waiting receiver looks for what may come by itself: late events, messages that turn visible."""
_SETTABLE = DEFAULTS.keys() | {
    "Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
}  # fmt: skip

NO_QUEUE = "QueueDoesNotExist"


class Sqs:
    """The service. `pump` lets arrive what other services have on the way to queues."""

    def __init__(self, queues: Queues, pump: Callable[[float], None]) -> None:
        self._queues = queues
        self._pump = pump
        self.actions: Mapping[str, Callable[[Call], Answer | Later]] = {
            "CreateQueue": self._create,
            "GetQueueUrl": self._get_url,
            "ListQueues": self._list,
            "DeleteQueue": self._delete_queue,
            "PurgeQueue": self._purge,
            "GetQueueAttributes": self._get_attributes,
            "SetQueueAttributes": self._set_attributes,
            "SendMessage": self._send,
            "SendMessageBatch": lambda call: self._batch(call, self._send),
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": lambda call: self._batch(call, self._delete),
            "ChangeMessageVisibility": self._change_visibility,
            "ChangeMessageVisibilityBatch": lambda call: self._batch(call, self._change_visibility),
        }

    def perform(self, call: Call) -> Answer | Later:
        """One call; raises AwsError."""
        action = self.actions.get(call.action)
        if action is None:
            raise AwsError("InvalidAction", f"The operation {call.action} is unknown here.")
        return action(call)

    def arn_of(self, call: Call) -> str:
        """The resource that a call is about."""
        url = call.params.get("QueueUrl")
        if url is not None:
            account_id, name = ["", *str(url).split("/")][-2:]
        else:
            account_id, name = call.account_id, str(call.params.get("QueueName", "*"))
        return f"arn:{call.principal.account.owner.partition}:sqs:{call.region}:{account_id}:{name}"

    def _queue(self, call: Call) -> Queue:
        call.need("QueueUrl")
        queue = self._queues.by_arn.get(self.arn_of(call))
        if queue is None:
            raise AwsError(NO_QUEUE, "The specified queue does not exist.")
        return queue

    def _create(self, call: Call) -> Answer:
        name = str(call.need("QueueName"))
        if _NAME.fullmatch(name) is None:
            raise _wrong(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
                "InvalidParameterValue",
            )
        attributes = _attributes(call)
        before = self._queues.by_arn.get(self.arn_of(call))
        if before is None:
            self._queues.make(self.arn_of(call), attributes, call.now).tags.update(call.params.get("tags", {}))
        elif any(before.attributes.get(key) != value for key, value in attributes.items()):
            raise _wrong(
                "A queue already exists with the same name and a different value for an attribute", "QueueNameExists"
            )
        return {"QueueUrl": _url(call, call.account_id, name)}

    def _get_url(self, call: Call) -> Answer:
        name, owner = str(call.need("QueueName")), str(call.params.get("QueueOwnerAWSAccountId", call.account_id))
        partition = call.principal.account.owner.partition
        if f"arn:{partition}:sqs:{call.region}:{owner}:{name}" not in self._queues.by_arn:
            raise AwsError(NO_QUEUE, "The specified queue does not exist.")
        return {"QueueUrl": _url(call, owner, name)}

    def _list(self, call: Call) -> Answer:
        prefix = call.params.get("QueueNamePrefix", "")
        ours = self.arn_of(call).rpartition(":")[0]
        names = [one.name for arn, one in sorted(self._queues.by_arn.items()) if arn.rpartition(":")[0] == ours]
        urls = [_url(call, call.account_id, name) for name in names if name.startswith(prefix)]
        return {"QueueUrls": urls} if urls else {}

    def _delete_queue(self, call: Call) -> Answer:
        del self._queues.by_arn[self._queue(call).arn]
        return {}

    def _purge(self, call: Call) -> Answer:
        self._queue(call).messages.clear()
        return {}

    def _get_attributes(self, call: Call) -> Answer:
        queue = self._queue(call)
        self._pump(call.now)
        messages, now = queue.messages.values(), call.now
        everything = {
            **queue.attributes,
            "QueueArn": queue.arn,
            "CreatedTimestamp": str(int(queue.created)),
            "LastModifiedTimestamp": str(int(queue.modified)),
            "ApproximateNumberOfMessages": str(sum(one.visible <= now for one in messages)),
            "ApproximateNumberOfMessagesNotVisible": str(sum(one.in_flight(now) for one in messages)),
            "ApproximateNumberOfMessagesDelayed": str(sum(one.visible > now and not one.handle for one in messages)),
        }
        names = call.params.get("AttributeNames") or []
        for name in names:
            if name != "All" and name not in everything.keys() | _SETTABLE:
                raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.", 400)
        told = {key: value for key, value in everything.items() if "All" in names or key in names}
        return {"Attributes": told} if told else {}

    def _set_attributes(self, call: Call) -> Answer:
        queue = self._queue(call)
        queue.attributes.update(_attributes(call))
        queue.modified = call.now
        return {}

    def _send(self, call: Call) -> Answer:
        queue, body = self._queue(call), str(call.need("MessageBody"))
        if not body:
            raise _wrong("The request must contain the parameter MessageBody.", "MissingParameter")
        if len(body.encode()) > queue.setting("MaximumMessageSize"):
            raise _wrong(
                "One or more parameters are invalid. Reason: Message must be shorter.", "InvalidParameterValue"
            )
        delay = call.number("DelaySeconds", queue.setting("DelaySeconds"), 0, 900, "InvalidParameterValue")
        message = queue.put(body, call.now, delay, call.params.get("MessageAttributes"))
        return {"MessageId": message.message_id, "MD5OfMessageBody": message.md5}

    def _receive(self, call: Call) -> Answer | Later:
        queue = self._queue(call)
        wait = call.number(
            "WaitTimeSeconds",
            queue.setting("ReceiveMessageWaitTimeSeconds"),
            0,
            _LONGEST_WAIT_S,
            "InvalidParameterValue",
        )
        found = self._take(call, queue)
        if found or not wait:
            return _received(found)
        later = Later()
        _Poll(self, call, queue, later, call.now + wait).arm()
        return later

    def take_now(self, call: Call, queue: Queue) -> Answer | None:
        """For a waiting receiver: what there is, or None."""
        if self._queues.by_arn.get(queue.arn) is not queue or not call.wanted():
            return {}
        found = self._take(call, queue)
        return _received(found) if found else None

    def _take(self, call: Call, queue: Queue) -> list[Message]:
        self._pump(time.time())
        now = time.time()  # after what has just arrived
        most = call.number("MaxNumberOfMessages", 1, 1, 10, "InvalidParameterValue")
        timeout = call.number(
            "VisibilityTimeout", queue.setting("VisibilityTimeout"), 0, _LONGEST_VISIBILITY_S, "InvalidParameterValue"
        )
        return queue.take(most, timeout, now, lambda message: self._queues.bury(queue, message, now))

    def _delete(self, call: Call) -> Answer:
        """Deleting what is deleted, or what somebody else has received since, is no error and does nothing."""
        queue, handle = self._queue(call), _handle(call)
        message = queue.find(handle)
        if message is not None:
            del queue.messages[message.message_id]
        return {}

    def _change_visibility(self, call: Call) -> Answer:
        queue, handle = self._queue(call), _handle(call)
        timeout = call.number("VisibilityTimeout", -1, 0, _LONGEST_VISIBILITY_S, "InvalidParameterValue")
        message = queue.find(handle)
        if message is None or not message.in_flight(call.now):
            raise AwsError("MessageNotInflight", "The message referred to isn't in flight.", 400)
        message.visible = call.now + timeout
        return {}

    def _batch(self, call: Call, one: Callable[[Call], Answer]) -> Answer:
        self._queue(call)
        entries = call.params.get("Entries") or []
        if not entries:
            raise AwsError("EmptyBatchRequest", "There should be at least one entry in the request.", 400)
        if len(entries) > 10:
            raise AwsError("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.", 400)
        if len({entry.get("Id") for entry in entries}) < len(entries):
            raise AwsError(
                "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.", 400
            )
        done: list[Answer] = []
        failed: list[Answer] = []
        for entry in entries:
            params = {"QueueUrl": call.params["QueueUrl"], **entry}
            single = Call(call.principal, call.action, params, call.now, None, call.region, call.host)
            try:
                done.append({"Id": entry["Id"], **one(single)})
            except AwsError as error:
                failed.append({"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True})
        return {"Successful": done, "Failed": failed}


class _Poll:
    """A receiver that waits: looks when a message comes in, and now and then."""

    def __init__(self, sqs: Sqs, call: Call, queue: Queue, later: Later, end: float) -> None:
        self._sqs = sqs
        self._call = call
        self._queue = queue
        self._later = later
        self._end = end
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def arm(self) -> None:
        self._queue.watchers.append(self._wake)
        self._timer = self._loop.call_later(self._pause(), self._look)

    def _wake(self) -> None:
        # Not at once: whoever has put the message is not done yet.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(0, self._look)

    def _look(self) -> None:
        found = self._sqs.take_now(self._call, self._queue)
        if found is None and time.time() < self._end:
            self._timer = self._loop.call_later(self._pause(), self._look)
            return
        self._queue.watchers.remove(self._wake)
        self._later.arrive(found or {})

    def _pause(self) -> float:
        return max(0.0, min(_GLANCE_S, self._end - time.time()))


def _received(messages: list[Message]) -> Answer:
    if not messages:
        return {}
    told = []
    for one in messages:
        message: Answer = {
            "MessageId": one.message_id,
            "ReceiptHandle": one.handle,
            "MD5OfBody": one.md5,
            "Body": one.body,
            "Attributes": {
                "SentTimestamp": str(int(one.sent * 1000)),
                "ApproximateReceiveCount": str(one.received),
                "ApproximateFirstReceiveTimestamp": str(int((one.first_received or 0) * 1000)),
            },
        }
        if one.attributes:
            message["MessageAttributes"] = one.attributes
        told.append(message)
    return {"Messages": told}


def _attributes(call: Call) -> dict[str, str]:
    told: Mapping[str, Any] = call.params.get("Attributes") or {}
    for name, value in told.items():
        if name not in _SETTABLE:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.", 400)
        if name == "RedrivePolicy" and value and not _is_redrive(value):
            raise AwsError("InvalidAttributeValue", "Invalid value for the parameter RedrivePolicy.", 400)
        if name in DEFAULTS and not str(value).isdecimal():
            raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.", 400)
    return {name: str(value) for name, value in told.items()}


def _is_redrive(text: str) -> bool:
    try:
        policy = json.loads(text)
        return int(policy["maxReceiveCount"]) >= 1 and str(policy["deadLetterTargetArn"]).startswith("arn:")
    except (ValueError, TypeError, KeyError):
        return False


def _handle(call: Call) -> str:
    handle = str(call.need("ReceiptHandle"))
    if _HANDLE.fullmatch(handle) is None:
        raise AwsError(
            "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.', 400
        )
    return handle


def _url(call: Call, account_id: str, name: str) -> str:
    return f"http://{call.host}/{account_id}/{name}"


def _wrong(message: str, code: str) -> AwsError:
    return AwsError(code, message, 400)
