"""The grammar of identity-based policies, as far as IAM refuses a document for it (reference_policies_grammar).

What a policy allows is `rights.py`'s business.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from .errors import AwsError

_TOP = frozenset({"Version", "Id", "Statement"})
_IN_STATEMENT = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_VERSIONS = ("2012-10-17", "2008-10-17")
_SID = re.compile(r"[A-Za-z0-9]*")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")


def size_of(document: str) -> int:
    """Characters without white space, which IAM does not count."""
    return sum(not char.isspace() for char in document)


def require_valid(document: str) -> None:
    """Raises MalformedPolicyDocument, in IAM's words, for what is no identity-based policy."""
    sids: set[str] = set()
    for statement in _statements(document):
        _check_statement(statement, sids)


def require_valid_trust(document: str) -> None:
    """The same for a role's trust policy: it names principals, and no resources."""
    for statement in _statements(document):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _malformed("Syntax errors in policy.")
        if "Resource" in statement or "NotResource" in statement:
            raise _malformed("Has prohibited field Resource")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise _malformed("Missing required field Principal")
        for action in _one_list(statement, "Action", "Missing required field Action"):
            if _ACTION.fullmatch(action) is None or not action.startswith(("sts:", "*")):
                raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")
        if not isinstance(statement.get("Condition", {}), dict):
            raise _malformed("Syntax errors in policy.")


def _statements(document: str) -> list[Any]:
    try:
        policy = json.loads(document, object_pairs_hook=_once)
    except ValueError:
        raise _malformed("Syntax errors in policy.") from None
    if not isinstance(policy, dict) or not policy.keys() <= _TOP:
        raise _malformed("Syntax errors in policy.")
    if policy.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise _malformed("The policy must contain a valid version string.")
    statements = policy.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _malformed("Syntax errors in policy.")
    return statements


def _check_statement(statement: Any, sids: set[str]) -> None:
    if not isinstance(statement, dict):
        raise _malformed("Syntax errors in policy.")
    if "Principal" in statement or "NotPrincipal" in statement:
        raise _malformed("Policy document should not specify a principal.")
    if not statement.keys() <= _IN_STATEMENT or statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Syntax errors in policy.")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or _SID.fullmatch(sid) is None:
        raise _malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies [0-9A-Za-z]*")
    if sid and sid in sids:
        raise _malformed("Statement IDs (SID) in a single policy must be unique.")
    sids.add(sid)
    for action in _one_list(statement, "Action", "Policy statement must contain actions."):
        if _ACTION.fullmatch(action) is None:
            raise _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    for resource in _one_list(statement, "Resource", "Policy statement must contain resources."):
        if resource != "*" and (not resource.startswith(("arn:", "*")) or resource.count(":") < 5):
            raise _malformed(f'Resource {resource} must be in ARN format or "*".')
    if not isinstance(statement.get("Condition", {}), dict):
        raise _malformed("Syntax errors in policy.")


def _one_list(statement: Mapping[str, Any], name: str, none: str) -> list[str]:
    """What `Action` or `NotAction` (`Resource` or `NotResource`) holds: exactly one of the two has to be there."""
    if name in statement and f"Not{name}" in statement:
        raise _malformed("Syntax errors in policy.")
    value = statement.get(name, statement.get(f"Not{name}"))
    values = [value] if isinstance(value, str) else value
    if not values:
        raise _malformed(none)
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise _malformed("Syntax errors in policy.")
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)
