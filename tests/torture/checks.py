"""What has to hold after any torture, judged by the topics, the stand-in's journal, IAM and the logs alone."""

import base64
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, unquote

from sandbox.aws import CONNECTOR, overlaps
from sandbox.aws.iam import AwsError
from streams.wire import decode_record
from streams.wire.keys import user_key

from .load import hash_of
from .oracle import Oracle, differences
from .world import MARK_KEY, open_credential

_MARK = re.compile(r" idhub-aws/\S+ r/(?P<request>\S+) s/(?P<step>\d+)")

BROKEN = ("handler.broken", "lane.broken", "partition.task_broke", "dead_letter.not_written", "offsets.expired")
"""Log lines that nothing here may ever cause."""


def request_of(entry):
    """(request id, step) of the mark on a call; ("", 0) without one."""
    found = _MARK.search(entry.user_agent)
    return (unquote(found["request"]), int(found["step"])) if found else ("", 0)


@dataclass
class Evidence:
    """Everything that a run left behind."""

    load: list
    before: dict
    """The account before the first request."""
    after: dict
    journal: list
    """The connector's calls."""
    topics: dict
    """Committed records by the topic's short name."""
    everything: dict
    """The same with what was aborted."""
    workers: list
    secrets: set
    cut_short: bool
    """Lives were killed or answers lost: what was so already may count as done."""
    sign_in: object
    on_wire: list = field(default_factory=list)
    """Calls that were under way when their worker was frozen: they may overlap."""

    def decoded(self, topic):
        return [(record, decode_record(record.value)[1]) for record in self.topics[topic] if record.value is not None]

    @property
    def key_of(self):
        return {fields["requestId"]: _key(fields) for fields in self.load}


def story(evidence, key):
    """What was asked of one user, called for it and answered, for whoever has to find out why a check failed."""
    oracle = Oracle(evidence.before)
    lines = [f"-- {key}"]
    for fields in evidence.load:
        if _key(fields) == key:
            wanted = [one["name"] for one in fields.get("entitlements", ())]
            lines.append(f"asked   {fields['requestId']} {fields['operation']} {wanted}: {oracle.ask(fields)}")
    begun = min((entry.started for entry in evidence.journal), default=0.0)
    for entry in evidence.journal:
        request_id, step = request_of(entry)
        if evidence.key_of.get(request_id) == key:
            target = [value for name, value in entry.params.items() if name not in {"UserName", "MaxItems"}]
            lines.append(
                f"called  {entry.started - begun:8.3f} {entry.access_key_id[-4:]} {request_id} s/{step} {entry.action} "
                f"{target[:1]} "
                f"{entry.outcome}, told {entry.told}, {'changed' if entry.changed else 'no change'}, {entry.fault or ''}"
            )
    for record, account in evidence.decoded("accounts"):
        if record.key.decode() == key:
            told = {
                name: value for name, value in account.items() if value and name not in {"observedAt", "arn", "path"}
            }
            lines.append(f"account {told}")
    for record, reply in evidence.decoded("replies"):
        if record.key.decode() == key:
            steps = [f"{s['number']} {s['action']} {s['target']} {s['outcome']}" for s in reply["steps"]]
            lines.append(f"replied {reply['requestId']} {reply['status']} {reply['error']} {steps}")
    return "\n".join(lines)


def _key(fields):
    return user_key(fields["awsAccountId"], fields["userName"])


async def gather(world, load, before, *, cut_short, given_passwords=()):
    """Looks at everything once; the workers have ended."""
    journal = [entry for entry in world.aws.journal() if entry.principal == CONNECTOR]
    return Evidence(
        load=load,
        before=before,
        after=world.aws.state(),
        journal=journal,
        topics=await world.read_all(),
        everything=await world.read_all(committed=False),
        workers=world.workers,
        secrets=world.generated_passwords()
        | set(given_passwords)
        | {world.environ["IDHUB_AWS_SECRET_ACCESS_KEY"], MARK_KEY},
        cut_short=cut_short,
        sign_in=world.aws.sign_in,
    )


def check_all(evidence):
    """Everything; returns a line of figures."""
    expected = nothing_lost(evidence)
    one_reply_each(evidence)
    in_order(evidence)
    as_the_oracle_says(evidence, expected)
    effects = every_effect_audited_once(evidence)
    overlapping = no_overlap(evidence)
    accounts_as_iam(evidence)
    passwords_are_valid(evidence, expected)
    no_secret_anywhere(evidence)
    quiet_logs(evidence)
    nothing_left_open(evidence)
    kills = sum(worker.code == -9 for worker in evidence.workers)
    return (
        f"{len(evidence.load)} requests, {len(evidence.journal)} calls, {effects} effects, {kills} kills survived, "
        f"{overlapping} calls on the wire overlapped"
    )


# -- the checks ----------------------------------------------------------------------------------------------------------


def nothing_lost(evidence):
    """Every request has the reply that the oracle foretells; returns (replies by request and content, the oracle)."""
    oracle = Oracle(evidence.before)
    replies = {(reply["requestId"], reply["requestHash"]): reply for _, reply in evidence.decoded("replies")}
    wrong = {}
    for fields in evidence.load:
        expected = oracle.ask(fields)
        reply = replies.get((fields["requestId"], hash_of(fields)))
        if reply is None:
            wrong[_key(fields)] = f"{fields['requestId']} has no reply"
            continue
        code = reply["error"]["code"] if reply["error"] else None
        statuses = expected.statuses if evidence.cut_short else {expected.status}
        if reply["status"] not in statuses or code != expected.code:
            wrong[_key(fields)] = (
                f"{fields['requestId']} {fields['operation']} {fields['userName']}: {reply['status']} {code} and not "
                f"{' or '.join(sorted(statuses))} {expected.code}; {reply['error']}"
            )
    assert not wrong, "\n".join((*wrong.values(), *map(partial(story, evidence), sorted(wrong)[:2])))
    return replies, oracle


def one_reply_each(evidence):
    """Repeats are equal byte for byte, and nobody is answered who did not ask."""
    distinct = defaultdict(set)
    for record, reply in evidence.decoded("replies"):
        distinct[record.key, reply["requestId"], reply["requestHash"]].add(record.value)
    asked = {(_key(fields).encode(), fields["requestId"], hash_of(fields)) for fields in evidence.load}
    assert distinct.keys() == asked, f"answered though nobody asked: {sorted(distinct.keys() - asked)[:5]}"
    several = {key: len(values) for key, values in distinct.items() if len(values) != 1}
    assert not several, f"more than one distinct reply: {several}"


def in_order(evidence):
    """Of each user the replies, and the calls, come in the order of the requests."""
    wanted = defaultdict(dict)
    for fields in evidence.load:
        wanted[_key(fields)].setdefault((fields["requestId"], hash_of(fields)))
    told = defaultdict(dict)
    for record, reply in evidence.decoded("replies"):
        told[record.key.decode()].setdefault((reply["requestId"], reply["requestHash"]))
    for key, order in wanted.items():
        assert list(told[key]) == list(order), f"{key}: replies in the order {list(told[key])}, asked {list(order)}"

    exempt = {id(entry) for entry in evidence.on_wire}
    place = {request_id: number for number, (request_id, _) in enumerate(_first(evidence.load))}
    furthest = defaultdict(lambda: -1)
    for entry in evidence.journal:
        request_id, _ = request_of(entry)
        key = evidence.key_of.get(request_id)
        if key is None or id(entry) in exempt:
            continue
        assert place[request_id] >= furthest[key], (
            f"{key}: a call of {request_id} after one of a later request: {entry}"
        )
        furthest[key] = place[request_id]


def _first(load):
    return {(fields["requestId"], _key(fields)): None for fields in load}


def as_the_oracle_says(evidence, expected):
    _, oracle = expected
    assert not (wrong := differences(oracle.people, evidence.after)), "\n".join(wrong)


def every_effect_audited_once(evidence):
    """Each (request id, step) that changed something is in exactly one audit record; returns how many there are."""
    audits = Counter()
    ids = Counter()
    for record, audit in evidence.decoded("audit"):
        audits[record.key.decode(), audit["requestId"], audit["step"]] += 1
        ids[audit["auditId"]] += 1
        assert audit["attempts"] >= 1, audit
    effects = {
        (evidence.key_of[request_id], request_id, step)
        for entry in evidence.journal
        if entry.changed
        for request_id, step in (request_of(entry),)
    }
    wrong = {effect: audits[effect] for effect in effects if audits[effect] != 1}
    assert not wrong, f"effects that are not in exactly one audit record: {wrong}"
    assert not (twice := [one for one, count in ids.items() if count > 1]), f"the same audit id twice: {twice}"
    assert not (twice := [one for one, count in audits.items() if count > 1]), f"two audit records of one step: {twice}"
    return len(effects)


def no_overlap(evidence):
    """No two calls for one user overlap, but those that were on the wire at a freeze; returns how many of those did."""
    of_lanes = []
    for entry in evidence.journal:
        key = evidence.key_of.get(request_of(entry)[0])
        if key is not None and entry.service == "iam":
            # Also what names no user, such as the deletion of a virtual MFA device.
            entry.user = key.rpartition("/")[2]
            of_lanes.append(entry)
    pairs = overlaps(of_lanes)
    exempt = {id(entry) for entry in evidence.on_wire}
    bad = [pair for pair in pairs if not exempt & {id(one) for one in pair}]
    assert not bad, f"{len(bad)} overlaps, the first: {bad[0]}"
    return len(pairs)


def accounts_as_iam(evidence):
    """What the accounts topic says last of each user is so, in every facet that was ever looked at."""
    last = {record.key.decode(): account for record, account in evidence.decoded("accounts")}
    users = {user_key(evidence.after["account"], name): told for name, told in evidence.after["users"].items()}
    wrong = defaultdict(list)
    for key, account in last.items():
        told = users.get(key)
        if (told is None) != (account["deleted"] or account["absentSince"] is not None):
            wrong[key].append(f"{key}: deleted {account['deleted']}, IAM has {'a' if told else 'no'} user")
            continue
        if told is None:
            continue
        compared = {
            "userId": told["user_id"],
            "groups": sorted(told["groups"]),
            "attachedPolicies": sorted(told["attached_policies"]),
            "loginProfile": [] if told["login_profile"] is None else ["password"],
            "inlinePolicies": sorted(told["inline_policies"]),
        }
        for name, is_ in compared.items():
            says = account[name]
            says = sorted(one["id"] for one in says) if isinstance(says, list) else says
            if says is not None and says != is_:
                wrong[key].append(f"{key}: {name} {says} and not {is_}")
    lines = [line for lines in wrong.values() for line in lines]
    assert not wrong, "\n".join((*lines, *map(partial(story, evidence), sorted(wrong)[:2])))
    missing = {key for key in evidence.key_of.values() if key in users} - last.keys()
    assert not missing, f"users of whom the accounts topic knows nothing: {missing}"


def passwords_are_valid(evidence, expected):
    """The one password that was delivered last opens the console."""
    replies, oracle = expected
    by_id = {request_id: reply for (request_id, _), reply in replies.items() if reply["credential"] is not None}
    for name, person in oracle.people.items():
        if person.password_from is not None:
            password = open_credential(by_id[person.password_from]["credential"])
            try:
                evidence.sign_in(person.name, password)
            except AwsError as error:
                raise AssertionError(f"{name}: the password of {person.password_from} is not valid: {error}") from None


def no_secret_anywhere(evidence):
    """No password, not even an undelivered one, and no key in any topic or log, in any of the usual forms."""
    places = {f"topic {name}": b"\0".join(_bytes_of(records)) for name, records in evidence.everything.items()}
    places |= {f"log of {worker.name}": worker.raw() for worker in evidence.workers}
    hits = [
        f"{name} holds {secret!r} as {form}"
        for secret in sorted(evidence.secrets)
        for form, text in forms_of(secret).items()
        for name, content in places.items()
        if text in content
    ]
    assert not hits, "\n".join(hits)


def _bytes_of(records):
    for record in records:
        yield record.key or b""
        yield record.value or b""
        for name, value in record.headers:
            yield name.encode() + b"\0" + (value or b"")


def forms_of(secret):
    """A text in the forms in which it might slip out."""
    plain = secret.encode()
    forms = {
        "plain text": plain,
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "a URL's": quote(secret, safe="").encode(),
        "a form's": quote(secret, safe=" ").replace(" ", "+").encode(),
        "UTF-16-LE": secret.encode("utf-16-le"),
        "UTF-16-BE": secret.encode("utf-16-be"),
        "repr": repr(secret)[1:-1].encode(),
        "reversed": plain[::-1],
    }
    for shift in range(3):
        # Base64 of the text at any place of a longer one: without the characters that its neighbours have a part in.
        whole = base64.b64encode(b"\0" * shift + plain)
        inner = whole[(0, 2, 3)[shift] : len(whole) - 4 if (shift + len(plain)) % 3 else None]
        forms[f"base64 ({shift})"] = inner
        forms[f"base64url ({shift})"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return forms


def quiet_logs(evidence):
    """No traceback, no warning of Python's, nothing broken."""
    for worker in evidence.workers:
        text = worker.text()
        for sign in ("Traceback", "Warning:", "never retrieved", "never awaited", "Unclosed"):
            assert sign not in text, f"{worker.name}: {text[max(0, text.index(sign) - 1500) :][:4000]}"
        assert not (broken := worker.events(*BROKEN)), f"{worker.name}: {broken[0]}"


def nothing_left_open(evidence):
    """The ledger's last word on every request is FINISHED."""
    last = {record.key: entry for record, entry in evidence.decoded("ledger")}
    begun = [entry["requestId"] for entry in last.values() if entry["state"] != "FINISHED"]
    assert not begun, f"begun and not finished: {begun}"
