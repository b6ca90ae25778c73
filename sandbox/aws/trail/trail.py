"""The trail of all accounts: takes what happened, keeps it for LookupEvents, and sends it to queues and buckets.

Where it is sent is a `Feed`: in AWS an EventBridge rule with a queue as its target, or a trail with a bucket.
"""

import json
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from gzip import compress
from random import Random
from typing import Any

from sandbox.aws.channels import Channel
from sandbox.aws.knobs import Knobs

from .happening import Happening, event_id_of
from .records import SIGN_IN, Record, iso, to_record

HOME_REGIONS = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
"""Partition → the Region that has IAM's and the global STS's events."""

_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Feed:
    """Where events go. Exactly one of `queue` and `bucket` is given."""

    account: str | None = None
    """Of this account only; None takes all, as an organization's trail does."""
    queue: str = ""
    """ARN of a queue that gets EventBridge's events."""
    bucket: str = ""
    """Gets files of records."""
    digests: bool = False
    """Whether digest files lie beside them."""

    def takes(self, account_id: str) -> bool:
        return self.account is None or self.account == account_id


Key = tuple[float, int]
Entry = tuple[float, int, Happening]


class Trail:
    """All of it.

    Args:
        knobs: how bad each way is, and whether reads are recorded.
        random: of event ids and of what goes wrong.
        send: puts a body into the queue of an ARN.
        store: puts an object (bucket, key, bytes).
    """

    def __init__(
        self, knobs: Knobs, random: Random, send: Callable[[str, str], None], store: Callable[[str, str, bytes], None]
    ) -> None:
        self._knobs = knobs
        self._random = random
        self._send = send
        self._store = store
        self.feeds: list[Feed] = []
        self._kept: dict[tuple[str, str], list[Entry]] = {}
        self._count = 0
        self._numbers = random.getrandbits(64) << 32
        self._lookup: Channel[Happening] = Channel(lambda: knobs.lookup_channel, random, self._keep)
        self._events: Channel[Happening] = Channel(lambda: knobs.event_channel, random, self._forward)
        self._files: Channel[Happening] = Channel(lambda: knobs.file_channel, random, self._write, batched=True)

    def new_number(self) -> int:
        """For a happening. The upper bits are of the trail's seed, the lower ones count."""
        self._numbers += 1
        return self._numbers

    def note(self, one: Happening) -> None:
        """Takes something that happened."""
        if one.read_only and not self._knobs.record_reads:
            return
        self._lookup.push(one, one.at)
        if self.feeds:
            if not one.read_only and any(feed.queue and feed.takes(one.account_id) for feed in self.feeds):
                self._events.push(one, one.at)
            if any(feed.bucket and feed.takes(one.account_id) for feed in self.feeds):
                self._files.push(one, one.at)

    def pump(self, now: float) -> None:
        """Lets arrive what is due, on every way."""
        for channel in (self._lookup, self._events, self._files):
            channel.pump(now)

    def latest(self, account_id: str, region: str, before: Key | None) -> Iterator[Entry]:
        """What LookupEvents can find, newest first, perhaps only what comes after a place in that order."""
        kept = self._kept.get((account_id, region), [])
        end = len(kept) if before is None else bisect_left(kept, before, key=_key)
        return (kept[at] for at in range(end - 1, -1, -1))

    def _keep(self, batch: list[Happening]) -> None:
        for one in batch:
            self._count += 1
            kept = self._kept.setdefault((one.account_id, one.region), [])
            entry = (one.at, self._count, one)
            if not kept or _key(kept[-1]) < _key(entry):
                kept.append(entry)
            elif self._random.random() < self._knobs.lookup_channel.disorder:
                # It stands where it arrived, not where its time belongs: "events don't appear in any specific order".
                kept.append((kept[-1][0], self._count, one))
            else:
                insort(kept, entry, key=_key)

    def _forward(self, batch: list[Happening]) -> None:
        for one in batch:
            body = json.dumps(to_event(one, event_id_of(self.new_number())))
            for feed in self.feeds:
                if feed.queue and feed.takes(one.account_id):
                    self._send(feed.queue, body)

    def _write(self, batch: list[Happening]) -> None:
        for account_id, region in sorted({(one.account_id, one.region) for one in batch}):
            ours = [one for one in batch if (one.account_id, one.region) == (account_id, region)]
            records = [to_record(one) for one in ours]
            for feed in self.feeds:
                if feed.bucket and feed.takes(account_id):
                    self._put(feed, account_id, region, max(one.at for one in ours), records)

    def _put(self, feed: Feed, account_id: str, region: str, at: float, records: list[Record]) -> None:
        moment = datetime.fromtimestamp(at, UTC)
        unique = "".join(self._random.choices(_NAME, k=16))
        place = f"{region}/{moment:%Y/%m/%d}"
        key = f"AWSLogs/{account_id}/CloudTrail/{place}/{account_id}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{unique}.json.gz"
        self._store(feed.bucket, key, compress(json.dumps({"Records": records}).encode(), mtime=0))
        if feed.digests:
            digest = {
                "awsAccountId": account_id,
                "digestStartTime": iso(at),
                "digestEndTime": iso(at),
                "digestS3Bucket": feed.bucket,
                "logFiles": [{"s3Bucket": feed.bucket, "s3Object": key, "hashAlgorithm": "SHA-256"}],
            }
            name = f"{account_id}_CloudTrail-Digest_{region}_trail_{region}_{moment:%Y%m%dT%H%M%SZ}.json.gz"
            at_digest = f"AWSLogs/{account_id}/CloudTrail-Digest/{place}/{name}"
            self._store(feed.bucket, at_digest, compress(json.dumps(digest).encode(), mtime=0))


def to_event(one: Happening, event_id: str) -> dict[str, Any]:
    """EventBridge's event around a record ("Events from AWS services via CloudTrail" in its user guide)."""
    kind = "AWS Console Sign In via CloudTrail" if one.service == SIGN_IN else "AWS API Call via CloudTrail"
    return {
        "version": "0",
        "id": event_id,
        "detail-type": kind,
        "source": f"aws.{one.service}",
        "account": one.account_id,
        "time": iso(one.at),
        "region": one.region,
        "resources": [],
        "detail": to_record(one),
    }


def _key(entry: Entry) -> Key:
    return entry[0], entry[1]
