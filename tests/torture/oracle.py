"""What a sequence of requests means, by contracts.md alone. Knows nothing of plans, facets, readings, or retries.

One user after the other, one request after the other, each done at once and as a whole.
"""

import json
import re
from dataclasses import dataclass, field

TAG = "idhub:request-id"
NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
CREDENTIALS = ("access_keys", "service_credentials", "ssh_public_keys", "signing_certificates", "mfa_devices")


@dataclass
class Person:
    """A user, as far as requests can tell."""

    name: str
    groups: set = field(default_factory=set)
    policies: set = field(default_factory=set)
    tags: dict = field(default_factory=dict)
    login: bool = True
    made_by: str | None = None
    """The request that created it; None: somebody else did."""
    password_from: str | None = None
    """The request whose reply carries the password that is valid now."""


@dataclass(frozen=True)
class Expected:
    """What the reply has to say."""

    status: str
    code: str | None = None
    interrupted: str | None = None
    """The status that a request may have instead when a life of it was cut short or an answer lost: what it finds done
    and has announced itself counts as done by it."""

    @property
    def statuses(self):
        return {self.status} | ({self.interrupted} if self.interrupted else set())


class Oracle:
    """Asked in the order of each user's requests; between users the order does not matter."""

    def __init__(self, state):
        """`state`: the account's snapshot before the first request."""
        self._groups = {name.casefold() for name in state["groups"]}
        self._own_policies = set(state["policies"])
        self.people = {
            name.casefold(): Person(
                name,
                groups={one.casefold() for one in told["groups"]},
                policies=set(told["attached_policies"]),
                tags=told["tags"],
                login=told["login_profile"] is not None,
            )
            for name, told in state["users"].items()
        }
        self._answers = {}
        """(user, request id) → content and answer of the one that came first."""

    def ask(self, fields):
        """What this request, coming next for its user, is to be answered."""
        name = fields["userName"].casefold()
        content = json.dumps(fields, sort_keys=True, default=str)
        first, answer = self._answers.get((name, fields["requestId"]), (None, None))
        if first == content:
            return answer
        if first is not None:
            return Expected("REJECTED", "CONFLICT")
        answer = self._answer(name, fields)
        self._answers[name, fields["requestId"]] = (content, answer)
        return answer

    def _answer(self, name, fields):
        person = self.people.get(name)
        operation = fields["operation"]
        if fields.get("notAfter") is not None and operation in {"CREATE_ACCOUNT", "GRANT_ENTITLEMENTS"}:
            return Expected("REJECTED", "TOO_LATE")  # the load knows only moments that have passed
        if person is not None and fields.get("expectedUserId") is not None:
            return Expected("REJECTED", "OTHER_IDENTITY")  # the load knows only ids that nobody has
        return getattr(self, f"_{operation.casefold()}")(name, person, fields)

    def _create_account(self, name, person, fields):
        made_by = fields["requestId"]
        if person is not None and (person.made_by is None or person.made_by != fields.get("resumes")):
            return Expected("FAILED", "ACCOUNT_EXISTS")
        if person is None:
            tags = {**fields.get("attributes", {}), TAG: made_by}
            person = self.people[name] = Person(fields["userName"], tags=tags, made_by=made_by)
        person.login, person.password_from = True, made_by
        _, _, code = self._grant(person, fields["entitlements"])
        return Expected("PARTIAL" if code else "SUCCEEDED", code)

    def _delete_account(self, name, person, fields):
        if fields.get("dryRun"):
            return Expected("PLANNED")
        return Expected("UNCHANGED" if self.people.pop(name, None) is None else "SUCCEEDED")

    def _grant_entitlements(self, name, person, fields):
        if person is None:
            return Expected("FAILED", "NO_SUCH_ACCOUNT")
        return _of_steps(*self._grant(person, fields["entitlements"]))

    def _revoke_entitlements(self, name, person, fields):
        done, already, code = 0, 0, None
        for kind, thing in _things(fields["entitlements"]):
            if kind is None:
                code = code or "INVALID_ENTITLEMENT"
                continue
            had = getattr(person, kind) if person is not None else set()
            done, already = (done + 1, already) if thing in had else (done, already + 1)
            had.discard(thing)
        expected = _of_steps(done, already, code)
        return expected if person is not None else Expected(expected.status, expected.code)

    def _grant(self, person, entitlements):
        done, already, code = 0, 0, None
        for kind, thing in _things(entitlements):
            if kind is None:
                code = code or "INVALID_ENTITLEMENT"
            elif not self._exists(kind, thing):
                code = code or "NO_SUCH_ENTITLEMENT"
            elif thing in getattr(person, kind):
                already += 1
            else:
                getattr(person, kind).add(thing)
                done += 1
        return done, already, code

    def _exists(self, kind, thing):
        if kind == "groups":
            return thing in self._groups
        return thing in self._own_policies or (":iam::aws:" in thing and "NoSuch" not in thing)


def _things(entitlements):
    """(groups or policies, name or ARN) of each, once; None for what can be no name of a thing."""
    found = {}
    for one in entitlements:
        match one["type"]:
            case "GROUP" if not NAME.fullmatch(one["name"]):
                thing = (None, one["name"])
            case "GROUP":
                thing = ("groups", one["name"].casefold())
            case "AWS_MANAGED_POLICY" if not one["name"].startswith("arn:"):
                thing = ("policies", f"arn:aws:iam::aws:policy/{one['name']}")
            case _:
                thing = ("policies", one["name"])
        found.setdefault(thing)
    return list(found)


def _of_steps(done, already, code):
    """The status that follows from independent steps; one that was so already may count as done after a crash."""
    if code is not None:
        if done:
            return Expected("PARTIAL", code)
        return Expected("FAILED", code, interrupted="PARTIAL" if already else None)
    return Expected("SUCCEEDED") if done else Expected("UNCHANGED", interrupted="SUCCEEDED")


def differences(people, state):
    """Where IAM is not as the oracle says; `people` by case-folded names."""
    found = []
    users = {name.casefold(): told for name, told in state["users"].items()}
    for name in sorted(people.keys() | users.keys()):
        person, told = people.get(name), users.get(name)
        if person is None or told is None:
            found.append(f"{name}: {'is there' if told else 'is missing'}")
            continue
        compared = {
            "groups": (person.groups, {one.casefold() for one in told["groups"]}),
            "policies": (person.policies, set(told["attached_policies"])),
            "login": (person.login, told["login_profile"] is not None),
            "tags": (person.tags, told["tags"]),
        }
        if person.made_by is not None:
            compared["inline policies"] = ({}, told["inline_policies"])
            compared |= {kind: (False, bool(told[kind])) for kind in CREDENTIALS}
        found += [f"{name}: {what} {is_} and not {wanted}" for what, (wanted, is_) in compared.items() if wanted != is_]
    held = {serial.rpartition("/")[2].casefold() for serial in state["virtual_mfa_devices"]}
    found += [f"{name}: its virtual MFA device is left behind" for name in sorted(held - people.keys())]
    return found
