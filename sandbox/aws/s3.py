"""S3 as far as trail files need it: buckets, objects, listing in pages; path-style addresses; REST and XML.

Source: the S3 API reference. New objects are told to a queue if the bucket has one (`notify`), in the words of "Event
message structure" in the S3 user guide, keys form-encoded; the first message is S3's own test event.
"""

import hashlib
import json
from bisect import bisect_right, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote
from xml.sax.saxutils import escape

from .call import Answer, Call
from .http import Request
from .iam import AwsError
from .wire import Reading, Reply

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Thing:
    """One object."""

    body: bytes
    modified: float
    content_type: str = "binary/octet-stream"

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass(slots=True)
class Bucket:
    name: str
    account_id: str
    region: str
    created: float
    notify: str = ""
    """ARN of the queue that hears of new objects."""
    things: dict[str, Thing] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    """In the order of listings: UTF-8's, which is that of code points."""


class Buckets:
    """All buckets; their names are unique in the world. `send` puts a body into a queue."""

    def __init__(self, send: Callable[[str, str], None]) -> None:
        self._send = send
        self.by_name: dict[str, Bucket] = {}
        self._sequence = 0

    def make(self, name: str, account_id: str, region: str, now: float) -> Bucket:
        bucket = Bucket(name, account_id, region, now)
        self.by_name[name] = bucket
        return bucket

    def notify(self, bucket: Bucket, queue_arn: str, now: float) -> None:
        """From now on tells a queue of new objects; sends the test event that S3 begins with."""
        bucket.notify = queue_arn
        told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": _iso(now), "Bucket": bucket.name}
        self._send(queue_arn, json.dumps({**told, "RequestId": "SANDBOXREQUEST01", "HostId": "sandbox"}))

    def put(self, bucket: Bucket, key: str, thing: Thing) -> None:
        if key not in bucket.things:
            insort(bucket.keys, key)
        bucket.things[key] = thing
        if bucket.notify:
            self._sequence += 1
            self._send(bucket.notify, json.dumps({"Records": [_notification(bucket, key, thing, self._sequence)]}))


def _notification(bucket: Bucket, key: str, thing: Thing, sequence: int) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": _iso(thing.modified),
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AROASANDBOXCLOUDTRAIL:regionalDeliverySession"},
        "requestParameters": {"sourceIPAddress": "192.0.2.10"},
        "responseElements": {"x-amz-request-id": f"SANDBOX{sequence:09}", "x-amz-id-2": "sandbox"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "sandbox",
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.account_id},
                "arn": f"arn:aws:s3:::{bucket.name}",
            },
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": len(thing.body),
                "eTag": thing.etag.strip('"'),
                "sequencer": f"{sequence:016X}",
            },
        },
    }


class S3:
    """The service. `pump` lets arrive the trail's files that are due."""

    def __init__(self, buckets: Buckets, pump: Callable[[float], None]) -> None:
        self._buckets = buckets
        self._pump = pump
        self.actions: Mapping[str, Callable[[Call], Answer]] = {
            "ListBuckets": self._list_buckets,
            "CreateBucket": self._create,
            "HeadBucket": lambda call: {"Found": self._bucket(call).name},
            "GetBucketLocation": self._location,
            "ListObjectsV2": self._list,
            "GetObject": self._get,
            "HeadObject": self._get,
            "PutObject": self._put,
            "DeleteObject": self._delete,
        }

    def perform(self, call: Call) -> Answer:
        """One call; raises AwsError."""
        action = self.actions.get(call.action)
        if action is None:
            raise AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
        self._pump(call.now)
        return action(call)

    def arn_of(self, call: Call) -> str:
        """The resource that a call is about."""
        bucket, key = call.params.get("Bucket", ""), call.params.get("Key")
        return f"arn:{call.principal.account.owner.partition}:s3:::{bucket}{f'/{key}' if key else ''}"

    def _bucket(self, call: Call) -> Bucket:
        bucket = self._buckets.by_name.get(str(call.params.get("Bucket")))
        if bucket is None:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        return bucket

    def _list_buckets(self, call: Call) -> Answer:
        ours = [one for _, one in sorted(self._buckets.by_name.items()) if one.account_id == call.account_id]
        told = [{"Name": one.name, "CreationDate": _iso(one.created)} for one in ours]
        return {"ListAllMyBucketsResult": {"Owner": {"ID": call.account_id}, "Buckets": {"Bucket": told}}}

    def _create(self, call: Call) -> Answer:
        name = str(call.params["Bucket"])
        if name in self._buckets.by_name:
            raise AwsError(
                "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded.", 409
            )
        self._buckets.make(name, call.account_id, call.region, call.now)
        return {"Location": f"/{name}"}

    def _location(self, call: Call) -> Answer:
        region = self._bucket(call).region
        return {"LocationConstraint": "" if region == "us-east-1" else region}

    def _list(self, call: Call) -> Answer:
        bucket, params = self._bucket(call), call.params
        prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
        size = min(call.number("max-keys", _PAGE, 0, 2**31 - 1, "InvalidArgument"), _PAGE)
        token = params.get("continuation-token")
        after = _from_token(token) if token is not None else params.get("start-after", "")
        shown: Callable[[str], str] = quote if params.get("encoding-type") == "url" else str
        contents: list[Answer] = []
        common: list[str] = []
        truncated, last = False, after
        for key in bucket.keys[bisect_right(bucket.keys, after) :]:
            if not key.startswith(prefix) or (common and key.startswith(common[-1])):
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0 and after and key.startswith(after) and after.endswith(delimiter):
                continue  # the page before ended with this common prefix
            if len(contents) + len(common) == size:
                truncated = True
                break
            if cut >= 0:
                common.append(key[: cut + len(delimiter)])
                last = common[-1]
            else:
                contents.append(_content(bucket, key, shown(key)))
                last = key
        told: Answer = {
            "Name": bucket.name,
            "Prefix": shown(prefix),
            "KeyCount": len(contents) + len(common),
            "MaxKeys": size,
            "IsTruncated": truncated,
            "Contents": contents,
            "CommonPrefixes": [{"Prefix": shown(one)} for one in common],
        }
        for name, member in (("delimiter", "Delimiter"), ("encoding-type", "EncodingType")):
            if params.get(name):
                told[member] = params[name]
        if "start-after" in params:
            told["StartAfter"] = shown(params["start-after"])
        if token is not None:
            told["ContinuationToken"] = token
        if truncated:
            told["NextContinuationToken"] = _to_token(last)
        return {"ListBucketResult": told}

    def _get(self, call: Call) -> Answer:
        thing = self._bucket(call).things.get(call.params["Key"])
        if thing is None:
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        return {"Thing": thing}

    def _put(self, call: Call) -> Answer:
        thing = Thing(call.params["Body"], call.now, call.params.get("ContentType") or "binary/octet-stream")
        self._buckets.put(self._bucket(call), call.params["Key"], thing)
        return {"ETag": thing.etag}

    def _delete(self, call: Call) -> Answer:
        bucket, key = self._bucket(call), call.params["Key"]
        if bucket.things.pop(key, None) is not None:
            bucket.keys.remove(key)
        return {"Gone": True}


def _content(bucket: Bucket, key: str, shown: str) -> Answer:
    thing = bucket.things[key]
    return {
        "Key": shown,
        "LastModified": _iso(thing.modified),
        "ETag": thing.etag,
        "Size": len(thing.body),
        "StorageClass": "STANDARD",
    }


def _to_token(key: str) -> str:
    return key.encode().hex() or "00"


def _from_token(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        raise AwsError("InvalidArgument", "The continuation token provided is incorrect", 400) from None


def _iso(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


# The wire

_CODES: Mapping[str, tuple[str, int]] = {
    "ExpiredToken": ("ExpiredToken", 400),
    "InvalidClientTokenId": ("InvalidAccessKeyId", 403),
    "MissingAuthenticationToken": ("AccessDenied", 403),
    "IncompleteSignature": ("AuthorizationHeaderMalformed", 400),
    "Throttling": ("SlowDown", 503),
    "InternalFailure": ("InternalError", 500),
}
_OF_BUCKET: Mapping[str, str] = {
    "GET": "ListObjects",
    "PUT": "CreateBucket",
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
}
_OF_OBJECT: Mapping[str, str] = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
_OF_LISTING = frozenset(
    {
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "start-after",
        "continuation-token",
        "encoding-type",
        "fetch-owner",
    }
)


class S3Wire:
    """S3's REST: method, path and query say the action. A sub-resource (`?acl`) is named as one that is unknown."""

    def read(self, request: Request) -> Reading:
        bucket, _, key = unquote(request.path).removeprefix("/").partition("/")
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        query.pop("x-id", None)
        params: dict[str, Any] = {}
        if bucket:
            params["Bucket"] = bucket
        if key:
            action = _OF_OBJECT.get(request.method, request.method)
            params["Key"] = key
            if action == "PutObject":
                params["Body"] = request.body
                params["ContentType"] = request.headers.get(b"content-type", b"").decode("latin-1")
        elif bucket:
            action = _OF_BUCKET.get(request.method, request.method)
        else:
            action = "ListBuckets" if request.method == "GET" else request.method
        if action == "ListObjects" and query.get("list-type") == "2":
            action = "ListObjectsV2"
        elif "location" in query:
            action = "GetBucketLocation"
        more = query.keys() - _OF_LISTING - {"location"}
        if more:
            action = f"{action}?{min(more)}"
        return Reading(action, params | {name: value for name, value in query.items() if name in _OF_LISTING})

    def own(self, error: AwsError) -> AwsError:
        code, status = _CODES.get(error.code, (error.code, error.status))
        return AwsError(code, error.message, status)

    def answer(self, action: str, answer: Mapping[str, Any], request_id: str) -> Reply:
        head = f"x-amz-request-id: {request_id}\r\n"
        thing = answer.get("Thing")
        if isinstance(thing, Thing):
            head += (
                f"ETag: {thing.etag}\r\nLast-Modified: {formatdate(thing.modified, usegmt=True)}\r\n"
                f"Content-Type: {thing.content_type}\r\nAccept-Ranges: bytes\r\n"
            )
            return Reply(200, head, b"" if action == "HeadObject" else thing.body, len(thing.body))
        if "Gone" in answer:
            return Reply(204, head, b"")
        if "ETag" in answer:
            return Reply(200, f"{head}ETag: {answer['ETag']}\r\n", b"")
        if "Location" in answer or "Found" in answer:
            return Reply(200, head, b"")
        out = ['<?xml version="1.0" encoding="UTF-8"?>\n']
        for name, value in answer.items():
            _render(f'{name} xmlns="{NAMESPACE}"', value, out)
        return Reply(200, f"{head}Content-Type: application/xml\r\n", "".join(out).encode())

    def refuse(self, action: str, error: AwsError, request_id: str) -> Reply:
        head = f"x-amz-request-id: {request_id}\r\nContent-Type: application/xml\r\n"
        if action.startswith("Head"):
            return Reply(error.status, head, b"")
        told = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{told}<RequestId>{request_id}</RequestId></Error>'
        return Reply(error.status, head, body.encode())


def _render(name: str, value: Any, out: list[str]) -> None:
    """Lists stand flat: one element for each member."""
    if isinstance(value, list):
        for one in value:
            _render(name, one, out)
        return
    out.append(f"<{name}>")
    if isinstance(value, dict):
        for key, child in value.items():
            _render(key, child, out)
    else:
        out.append(escape(str(value).lower() if isinstance(value, bool) else str(value)))
    out.append(f"</{name.split(' ', maxsplit=1)[0]}>")
