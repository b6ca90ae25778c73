"""LookupEvents: 90 days of management events of one account and Region, newest first, 50 a page, one attribute.

Source: LookupEvents in the CloudTrail API reference. Two calls a second per account and Region are let through (the
knob `lookup_rate`); an event's `Username` is who acted, not whom it was about.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.aws.call import Answer, Call
from sandbox.aws.iam import AwsError

from .happening import Happening
from .records import resources, to_record, user_name
from .trail import Key, Trail

_PAGE = 50
_KEPT_S = 90 * 86400.0


def _access_key(one: Happening) -> str:
    return "" if one.actor.principal is None else one.actor.principal.access_key_id


_ATTRIBUTES: Mapping[str, Callable[[Happening, str], bool]] = {
    "EventId": lambda one, wanted: one.event_id == wanted,
    "EventName": lambda one, wanted: one.name == wanted,
    "ReadOnly": lambda one, wanted: one.read_only == (wanted.lower() == "true"),
    "Username": lambda one, wanted: user_name(one) == wanted,
    "ResourceType": lambda one, wanted: any(found["ResourceType"] == wanted for found in resources(one)),
    "ResourceName": lambda one, wanted: any(found["ResourceName"] == wanted for found in resources(one)),
    "EventSource": lambda one, wanted: f"{one.service}.amazonaws.com" == wanted,
    "AccessKeyId": lambda one, wanted: _access_key(one) == wanted,
}


class CloudTrail:
    """The service: LookupEvents only."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    def perform(self, call: Call) -> Answer:
        if call.action != "LookupEvents":
            raise AwsError("InvalidAction", f"Unknown operation {call.action}")
        self._trail.pump(call.now)
        fits = _filter(call)
        size = call.number("MaxResults", _PAGE, 1, _PAGE, "InvalidMaxResultsException")
        start, end = (_moment(call.params.get(name)) for name in ("StartTime", "EndTime"))
        if start is not None and end is not None and start > end:
            raise AwsError("InvalidTimeRangeException", "The start time is after the end time.")
        oldest = max(call.now - _KEPT_S, start or 0.0)
        token = call.params.get("NextToken")
        found: list[tuple[Key, Happening]] = []
        for at, number, one in self._trail.latest(
            call.account_id, call.region, None if token is None else _decode(token)
        ):
            if at < int(oldest) and one.at < oldest:
                break
            if one.at < oldest or (end is not None and int(one.at) > end) or not fits(one):
                continue
            if len(found) == size:
                return {"Events": [_to_event(this) for _, this in found], "NextToken": _encode(found[-1][0])}
            found.append(((at, number), one))
        return {"Events": [_to_event(this) for _, this in found]}


def _filter(call: Call) -> Callable[[Happening], bool]:
    attributes = call.params.get("LookupAttributes") or []
    if not attributes:
        return lambda _one: True
    if len(attributes) > 1:
        raise AwsError("InvalidLookupAttributesException", "Only one lookup attribute can be given.")
    key, wanted = attributes[0].get("AttributeKey"), str(attributes[0].get("AttributeValue", ""))
    if key not in _ATTRIBUTES or not wanted:
        raise AwsError("InvalidLookupAttributesException", "The lookup attribute is not valid.")
    test = _ATTRIBUTES[key]
    return lambda one: test(one, wanted)


def _to_event(one: Happening) -> dict[str, Any]:
    told: dict[str, Any] = {
        "EventId": one.event_id,
        "EventName": one.name,
        "ReadOnly": "true" if one.read_only else "false",
        "EventTime": datetime.fromtimestamp(int(one.at), UTC),
        "EventSource": f"{one.service}.amazonaws.com",
        "Resources": resources(one),
        "CloudTrailEvent": json.dumps(to_record(one), separators=(",", ":")),
    }
    name, key = user_name(one), _access_key(one)
    if name is not None:
        told["Username"] = name
    if key:
        told["AccessKeyId"] = key
    return told


def _moment(told: Any) -> float | None:
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, (int, float)):
        raise AwsError("InvalidTimeRangeException", "A time is no number of seconds.")
    return float(told)


def _encode(key: Key) -> str:
    return urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decode(token: Any) -> Key:
    try:
        at, number = json.loads(urlsafe_b64decode(str(token)))
        return float(at), int(number)
    except (ValueError, TypeError):
        raise AwsError("InvalidNextTokenException", "The next token is not valid.") from None
