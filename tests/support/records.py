"""Any record that a schema allows, and any value of the model that goes into one."""

from datetime import UTC, datetime
from types import SimpleNamespace

from hypothesis import strategies as st

from connector.model.iam import AccountRecord, Facet, Identity, Item, OwnWrite
from connector.model.refreshes import Refresh, RefreshReason
from connector.model.requests import Approval, Operation, RequestedBy
from connector.model.results import (
    AccountChange,
    AccountSummary,
    AuditRecord,
    ChangeKind,
    FieldChange,
    Intent,
    IntentStep,
    Reply,
    ReplyError,
    ReplyStatus,
    StepOutcome,
    StepResult,
)
from streams.wire import schemas

ITEM_FACETS = [facet for facet in Facet if facet is not Facet.IDENTITY]

texts = st.text(max_size=12)
maybe_texts = st.none() | texts
counts = st.integers(0, 2**31 - 1)
moments = st.integers(0, 4_102_444_800_000).map(
    lambda ms: datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
)
"""Milliseconds are what Avro's timestamp-millis keeps."""
maybe_moments = st.none() | moments


def tuples(of, max_size=3):
    return st.lists(of, max_size=max_size).map(tuple)


def fields_of(name):
    """Whatever the schema of this record allows, every field given."""
    return _values(schemas.current(name).text, {})


def _values(schema, named):
    if isinstance(schema, list):
        return st.one_of([_values(branch, named) for branch in schema])
    if isinstance(schema, str):
        return named[schema] if schema in named else PRIMITIVE[schema]
    match schema["type"]:
        case "record":
            made = {}
            for member in schema["fields"]:
                made[member["name"]] = _values(member["type"], named)
            named[schema["name"]] = st.fixed_dictionaries(made)
            return named[schema["name"]]
        case "enum":
            named[schema["name"]] = st.sampled_from(schema["symbols"])
            return named[schema["name"]]
        case "array":
            return st.lists(_values(schema["items"], named), max_size=3)
        case "map":
            return st.dictionaries(texts, _values(schema["values"], named), max_size=3)
        case "long" if schema.get("logicalType") == "timestamp-millis":
            return moments
        case other:
            return _values(other, named)


PRIMITIVE = {
    "null": st.none(),
    "string": texts,
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=12),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
}

# -- the model -----------------------------------------------------------------------------------------------------

items = st.builds(Item, texts, maybe_texts, maybe_texts)
own_writes = st.builds(OwnWrite, st.sampled_from(Facet), items, st.booleans(), moments)


@st.composite
def account_records(draw):
    """The name stands in the record once: an identity has the record's."""
    name = draw(texts)
    identity = st.builds(
        Identity,
        user_name=st.just(name),
        user_id=texts,
        arn=texts,
        path=st.text(min_size=1, max_size=8),
        created_at=maybe_moments,
        tags=st.dictionaries(texts, texts, max_size=3),
        boundary=maybe_texts,
        password_last_used=maybe_moments,
    )
    return draw(
        st.builds(
            AccountRecord,
            aws_account_id=texts,
            user_name=st.just(name),
            identity=st.none() | identity,
            items=st.dictionaries(st.sampled_from(ITEM_FACETS), tuples(items), max_size=3),
            observed_at=st.dictionaries(st.sampled_from(Facet), moments, max_size=3),
            deleted=st.booleans(),
            deleted_at=maybe_moments,
            renamed_to=maybe_texts,
            changed_at=maybe_moments,
            own_writes=tuples(own_writes),
            absent_since=maybe_moments,
            look_again_at=maybe_moments,
        )
    )


refreshes = st.builds(
    Refresh,
    aws_account_id=texts,
    user_name=texts,
    facets=tuples(st.sampled_from(Facet)),
    reason=st.sampled_from(RefreshReason),
    event_ids=tuples(texts),
    actor=maybe_texts,
    occurred_at=maybe_moments,
    observed_at=maybe_moments,
    observed=st.none() | account_records(),
)

intents = st.builds(
    Intent,
    request_id=texts,
    request_hash=texts,
    operation=st.sampled_from(Operation),
    user_id=maybe_texts,
    steps=tuples(st.builds(IntentStep, counts, texts, texts, texts, counts)),
    was_active=tuples(items),
    lives=counts,
    started_at=maybe_moments,
)

replies = st.builds(
    Reply,
    request_id=texts,
    operation=st.sampled_from(Operation),
    status=st.sampled_from(ReplyStatus),
    request_hash=texts,
    aws_account_id=maybe_texts,
    user_name=texts,
    steps=tuples(
        st.builds(
            StepResult,
            counts,
            texts,
            texts,
            st.sampled_from(StepOutcome),
            maybe_texts,
            maybe_texts,
            maybe_texts,
            counts,
        )
    ),
    account=st.none()
    | st.builds(
        AccountSummary,
        texts,
        maybe_texts,
        maybe_texts,
        maybe_texts,
        st.none() | st.booleans(),
        st.none() | tuples(texts),
        st.none() | tuples(texts),
        st.none() | tuples(texts),
    ),
    plan_hash=maybe_texts,
    credential=maybe_texts,
    notes=tuples(texts),
    error=st.none() | st.builds(ReplyError, texts, texts, st.booleans()),
    started_at=maybe_moments,
    finished_at=maybe_moments,
    connector_version=texts,
)

audits = st.builds(
    AuditRecord,
    audit_id=texts,
    occurred_at=moments,
    aws_account_id=texts,
    user_name=texts,
    user_id=maybe_texts,
    action=texts,
    target=texts,
    step=counts,
    request_id=maybe_texts,
    operation=st.sampled_from(Operation),
    requested_by=st.none() | st.builds(RequestedBy, texts, maybe_texts),
    approval=st.none() | st.builds(Approval, maybe_texts, maybe_texts),
    aws_request_id=maybe_texts,
    attempts=counts,
    origin=st.sampled_from(["IDHUB", "FOREIGN"]),
)

changes = st.builds(
    AccountChange,
    kind=st.sampled_from(ChangeKind),
    aws_account_id=texts,
    user_name=texts,
    user_id=maybe_texts,
    fields=tuples(st.builds(FieldChange, texts, maybe_texts, maybe_texts)),
    origin=st.sampled_from(["IDHUB", "FOREIGN"]),
    actor=maybe_texts,
    request_id=maybe_texts,
    event_ids=tuples(texts),
    occurred_at=moments,
    before=st.none() | account_records(),
    after=st.none() | account_records(),
)


def consumed(value, *, topic="idhub.aws.requests", key=b"123456789012/alice", partition=0, offset=7, headers=()):
    """A record as aiokafka delivers it."""
    return SimpleNamespace(
        topic=topic, key=key, value=value, partition=partition, offset=offset, headers=tuple(headers), timestamp=1_000
    )
