"""Requests by the hundred: several users at once, several requests to each in order, and everything that can happen to
them on the way: repeats, ids used twice, names in other cases, things that do not exist, conditions that do not hold.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from random import Random

from sandbox.aws import DEFAULT_ACCOUNT
from streams.send import entitlement, new_request

GROUPS = ("admins", "developers", "auditors", "readonly")
POLICIES = ("ReadOnlyAccess", "SecurityAudit", "PowerUserAccess")
TEAM_POLICY = f"arn:aws:iam::{DEFAULT_ACCOUNT}:policy/team-base"

# What is asked, and how often. A user that is not there yet is mostly created first.
WEIGHTS = {
    "grant": 30,
    "revoke": 22,
    "delete": 12,
    "create": 14,
    "repeat": 9,
    "conflict": 4,
    "resume": 3,
    "late": 2,
    "other identity": 2,
    "dry delete": 2,
}

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def hash_of(fields):
    """The content hash that avro/README.md promises, made anew: what is stated, but for the time of asking and defaults."""
    whole = {name: value for name, value in fields.items() if name != "requestedAt"}
    for name in ("requestedBy", "approval", "tags"):
        whole[name] = _stated(whole.get(name) or {})
    whole["entitlements"] = [_stated(one) for one in whole.get("entitlements", ())]
    text = json.dumps(
        _stated(whole), sort_keys=True, separators=(",", ":"), default=lambda at: int(at.timestamp() * 1000)
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _stated(record):
    """A record without the fields that have their default: null, empty or false."""
    return {name: value for name, value in record.items() if value not in (None, {}, [], False)}


def ask(request_id, operation, user, **fields):
    """A request as IDHub makes it; the time is cut to what Avro keeps."""
    now = datetime.now(UTC)
    now -= timedelta(microseconds=now.microsecond % 1000)
    return new_request(
        operation,
        DEFAULT_ACCOUNT,
        user,
        requestId=request_id,
        requestedAt=now,
        requestedBy={"system": "IDHub", "user": "jerome"},
        **fields,
    )


class Load:
    """Makes requests by chance, each user's life after its own."""

    def __init__(self, seed, users, *, present=(), credential_of=None, stem="r"):
        """`users`: names; `present`: those of them that are there already, and are first deleted.

        `credential_of`: seals a password of the given text, for a few of the creations.
        """
        self._random = Random(seed)
        self._users = list(users)
        self._present = frozenset(present)
        self._asked = {name: [] for name in self._users}
        self._number = 0
        self._stem = stem
        self._seal = credential_of
        self.given_passwords = []
        """Clear text of those that were sealed into requests."""

    def make(self, count):
        """That many more requests, in the order in which they are to be published."""
        return [self._next() for _ in range(count)]

    def _next(self):
        name = self._random.choice(self._users)
        before = self._asked[name]
        first = "delete" if name in self._present else "create"
        kind = self._random.choices(list(WEIGHTS), WEIGHTS.values())[0] if before else first
        fields = self._of_kind(kind, name, before)
        before.append(fields)
        return fields

    def _id(self):
        self._number += 1
        # Signs that a tag and a user-agent have to carry.
        return f"{self._stem}{self._number:04}/{self._random.choice(('a', 'b:c', 'd@e', 'f+g=h'))}"

    def _of_kind(self, kind, name, before):
        spelt = self._spelt(name)
        match kind:
            case "repeat":
                return self._random.choice(before)
            case "conflict":
                return {**self._random.choice(before), "attributes": {"other": self._id()}}
            case "create":
                return self._create(spelt)
            case "resume":
                return self._create(spelt, resumes=self._random.choice(before)["requestId"])
            case "delete":
                return ask(self._id(), "DELETE_ACCOUNT", spelt)
            case "dry delete":
                return ask(self._id(), "DELETE_ACCOUNT", spelt, dryRun=True)
            case "late":
                return ask(self._id(), "GRANT_ENTITLEMENTS", spelt, entitlements=self._some(), notAfter=LONG_AGO)
            case "other identity":
                return ask(
                    self._id(),
                    "REVOKE_ENTITLEMENTS",
                    spelt,
                    entitlements=self._some(),
                    expectedUserId="AIDANOBODYHASTHISID00",
                )
            case "grant":
                return ask(self._id(), "GRANT_ENTITLEMENTS", spelt, entitlements=self._some())
            case "revoke":
                return ask(self._id(), "REVOKE_ENTITLEMENTS", spelt, entitlements=self._some())

    def _create(self, name, **fields):
        if self._seal is not None and self._random.random() < 0.2:
            password = f"Given-{self._random.getrandbits(64):016x}-Aa1!"
            self.given_passwords.append(password)
            fields["credential"] = self._seal(password)
        attributes = {"department": self._random.choice(("Finance", "Sales")), "mail": f"{name}@example.com"}
        return ask(
            self._id(), "CREATE_ACCOUNT", name, attributes=attributes, entitlements=self._some(least=0), **fields
        )

    def _spelt(self, name):
        return self._random.choice((name, name, name.upper()))

    def _some(self, least=1):
        """A few entitlements; now and then one that does not exist."""
        random = self._random
        choices = [entitlement("GROUP", name) for name in GROUPS]
        choices += [entitlement("AWS_MANAGED_POLICY", name) for name in POLICIES]
        choices += [entitlement("CUSTOMER_MANAGED_POLICY", TEAM_POLICY)]
        some = random.sample(choices, random.randint(least, 3))
        if random.random() < 0.15:
            nowhere = random.choice(
                (
                    entitlement("GROUP", "no-such-group"),
                    entitlement("AWS_MANAGED_POLICY", "NoSuchPolicy"),
                    entitlement("GROUP", "no name of a group!"),
                )
            )
            some.insert(random.randint(0, len(some)), nowhere)
        if some and random.random() < 0.2:
            some.append({**some[0], "name": some[0]["name"]})
        return some
