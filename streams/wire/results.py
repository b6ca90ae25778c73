"""Replies, audit events and changes: the model → records."""

from typing import Any

from connector.model.iam import AccountRecord
from connector.model.results import (
    AccountChange,
    AccountSummary,
    AuditRecord,
    Reply,
    ReplyError,
    StepResult,
)

from .accounts import from_record
from .requests import from_approval, from_requested_by

REPLY, AUDIT, CHANGE = "ProvisioningReply", "AuditEvent", "AccountChange"


def from_reply(reply: Reply) -> dict[str, Any]:
    return {
        "requestId": reply.request_id,
        "operation": reply.operation.value,
        "status": reply.status.value,
        "requestHash": reply.request_hash,
        "awsAccountId": reply.aws_account_id,
        "userName": reply.user_name,
        "steps": [_step(step) for step in reply.steps],
        "account": _summary(reply.account),
        "planHash": reply.plan_hash,
        "credential": reply.credential,
        "notes": list(reply.notes),
        "error": _error(reply.error),
        "startedAt": reply.started_at,
        "finishedAt": reply.finished_at,
        "connectorVersion": reply.connector_version,
    }


def _step(step: StepResult) -> dict[str, Any]:
    return {
        "number": step.number,
        "action": step.action,
        "target": step.target,
        "outcome": step.outcome.value,
        "awsRequestId": step.aws_request_id,
        "errorCode": step.error_code,
        "errorMessage": step.error_message,
        "attempts": step.attempts,
    }


def _error(error: ReplyError | None) -> dict[str, Any] | None:
    return {"code": error.code, "message": error.message, "retryable": error.retryable} if error else None


def _summary(account: AccountSummary | None) -> dict[str, Any] | None:
    if account is None:
        return None
    return {
        "userName": account.user_name,
        "userId": account.user_id,
        "arn": account.arn,
        "path": account.path,
        "enabled": account.enabled,
        "groups": _list(account.groups),
        "attachedPolicies": _list(account.attached_policies),
        "inlinePolicies": _list(account.inline_policies),
    }


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def from_audit(audit: AuditRecord) -> dict[str, Any]:
    return {
        "auditId": audit.audit_id,
        "occurredAt": audit.occurred_at,
        "awsAccountId": audit.aws_account_id,
        "userName": audit.user_name,
        "userId": audit.user_id,
        "action": audit.action,
        "target": audit.target,
        "step": audit.step,
        "requestId": audit.request_id,
        "operation": audit.operation.value,
        "requestedBy": from_requested_by(audit.requested_by),
        "approval": from_approval(audit.approval),
        "awsRequestId": audit.aws_request_id,
        "attempts": audit.attempts,
        "origin": audit.origin,
    }


def from_change(change: AccountChange, *, whole: bool = True) -> dict[str, Any]:
    """`whole` False leaves the states before and after out: for a change that would be too large a record."""
    return {
        "kind": change.kind.value,
        "awsAccountId": change.aws_account_id,
        "userName": change.user_name,
        "userId": change.user_id,
        "fields": [{"field": f.field, "before": f.before, "after": f.after} for f in change.fields],
        "origin": change.origin,
        "actor": change.actor,
        "requestId": change.request_id,
        "eventIds": list(change.event_ids),
        "occurredAt": change.occurred_at,
        "before": _snapshot(change.before) if whole else None,
        "after": _snapshot(change.after) if whole else None,
    }


def _snapshot(record: AccountRecord | None) -> tuple[str, dict[str, Any]] | None:
    """The branch of the union is named: fastavro would find it by validating the whole value first."""
    return ("idhub.aws.AccountSnapshot", from_record(record)) if record is not None else None
