"""Refresh records ↔ the model."""

from collections.abc import Mapping
from typing import Any

from connector.model.iam import Facet
from connector.model.refreshes import Refresh, RefreshReason

from .accounts import NAME as ACCOUNT
from .accounts import from_record, to_record
from .framing import decode_record, encode_record

NAME = "Refresh"


def from_refresh(refresh: Refresh) -> dict[str, Any]:
    return {
        "awsAccountId": refresh.aws_account_id,
        "userName": refresh.user_name,
        "facets": [facet.value for facet in refresh.facets],
        "reason": refresh.reason.value,
        "eventIds": list(refresh.event_ids),
        "actor": refresh.actor,
        "occurredAt": refresh.occurred_at,
        "observedAt": refresh.observed_at,
        "observedState": encode_record(ACCOUNT, from_record(refresh.observed)) if refresh.observed else None,
    }


def to_refresh(fields: Mapping[str, Any]) -> Refresh:
    """What a decoded Refresh says; a facet of a newer version is left out.

    Raises:
        WireError: the observed state that came along cannot be read.
    """
    observed = fields["observedState"]
    return Refresh(
        aws_account_id=fields["awsAccountId"],
        user_name=fields["userName"],
        facets=tuple(Facet(name) for name in fields["facets"] if name in Facet.__members__),
        reason=RefreshReason(fields["reason"]),
        event_ids=tuple(fields["eventIds"]),
        actor=fields["actor"],
        occurred_at=fields["occurredAt"],
        observed_at=fields["observedAt"],
        observed=to_record(decode_record(observed, ACCOUNT)[1]) if observed is not None else None,
    )
