"""A second look whose account cannot be read yet stays due; it holds up nobody else's."""

from datetime import UTC, datetime
from types import SimpleNamespace

from streams.accounts import AccountsView, look_again_header
from streams.publish import Message
from streams.users import UsersWork
from streams.wire.errors import SchemaNotCached, UnknownSchema

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_what_cannot_be_read_yet_stays_due():
    faults = {b"new": SchemaNotCached(7), b"foreign": UnknownSchema("no registry is configured")}

    def decode(value):
        if value in faults:
            raise faults[value]
        return value.decode()

    view = AccountsView("accounts", 0, decode)
    for name in (b"new", b"known", b"foreign"):
        view.wrote(Message("accounts", name, name, (look_again_header(NOW),)))
    told = []
    work = UsersWork.__new__(UsersWork)
    work._accounts, work._shared = view, SimpleNamespace(unreadable=told.append)

    due, missing = work._due(NOW)
    assert due == [(b"known", "known")]
    assert [schema.number for schema in missing] == [7]
    assert told == [faults[b"foreign"]]
    assert sorted(view.take_due(NOW)) == [b"foreign", b"new"]
