"""Organizations: the accounts of the stand-in as one organization, and the SCPs over them.

The first account is the management account; only it may ask, and no SCP holds for it. Every account begins with
FullAWSAccess. Source: the Organizations API reference. There is one root, and no organizational units.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .call import Answer, Call
from .iam import AwsError
from .iam.documents import require_valid
from .iam.rights import Source
from .seeds import DEFAULT_ACCOUNT
from .world import World

ORGANIZATION, ROOT = "o-sandbox0001", "r-sbox"
FULL_ACCESS = "p-FullAWSAccess"
SCP = "SERVICE_CONTROL_POLICY"
_JOINED = datetime(2020, 1, 1, tzinfo=UTC)
_PAGE = 20
_EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@dataclass(frozen=True, slots=True)
class Scp:
    """A service control policy."""

    policy_id: str
    name: str
    description: str
    document: str
    of_aws: bool = False


class Organizations:
    """The service."""

    def __init__(self, world: World) -> None:
        self._world = world
        full = Scp(FULL_ACCESS, "FullAWSAccess", "Allows access to every operation", _EVERYTHING, of_aws=True)
        self._policies = {FULL_ACCESS: full}
        self._attached: dict[str, list[str]] = {ROOT: [FULL_ACCESS]}
        self.suspended: set[str] = set()
        self.actions: Mapping[str, Callable[[Call], Answer]] = {
            "DescribeOrganization": self._describe_organization,
            "DescribeAccount": self._describe_account,
            "ListAccounts": self._list_accounts,
            "ListRoots": lambda _call: {"Roots": [_root()]},
            "ListParents": self._list_parents,
            "ListPoliciesForTarget": self._list_policies_for_target,
            "ListPolicies": self._list_policies,
            "DescribePolicy": self._describe_policy,
            "CreatePolicy": self._create_policy,
            "AttachPolicy": self._attach_policy,
            "DetachPolicy": self._detach_policy,
        }

    def perform(self, call: Call) -> Answer:
        """One call; raises AwsError."""
        action = self.actions.get(call.action)
        if action is None:
            raise AwsError("InvalidAction", f"Unknown operation {call.action}")
        if call.account_id != DEFAULT_ACCOUNT and call.action != "DescribeOrganization":
            raise AwsError("AccessDenied", "You don't have permissions to access this resource.")
        return action(call)

    def over(self, account_id: str) -> Sequence[Source] | None:
        """The SCPs over an account; None for the management account, and where all are FullAWSAccess.

        The root's and the account's are taken together, which is AWS's rule as long as both have FullAWSAccess.
        """
        if account_id == DEFAULT_ACCOUNT:
            return None
        ids = dict.fromkeys([*self._attached[ROOT], *self._of(account_id)])
        if list(ids) == [FULL_ACCESS]:
            return None
        if FULL_ACCESS in ids and FULL_ACCESS not in self._of(account_id):
            del ids[FULL_ACCESS]
        policies = [self._policies[one] for one in ids]
        return tuple(Source(one.document, one.name, "Service Control Policy") for one in policies)

    def _of(self, target: str) -> list[str]:
        return self._attached.setdefault(target, [FULL_ACCESS])

    def _describe_organization(self, _call: Call) -> Answer:
        return {
            "Organization": {
                "Id": ORGANIZATION,
                "Arn": f"arn:aws:organizations::{DEFAULT_ACCOUNT}:organization/{ORGANIZATION}",
                "FeatureSet": "ALL",
                "MasterAccountId": DEFAULT_ACCOUNT,
                "MasterAccountArn": _account_arn(DEFAULT_ACCOUNT),
                "MasterAccountEmail": _email(DEFAULT_ACCOUNT),
            }
        }

    def _describe_account(self, call: Call) -> Answer:
        account_id = str(call.need("AccountId"))
        if account_id not in self._world.accounts:
            raise AwsError("AccountNotFoundException", "You specified an account that doesn't exist.", 400)
        return {"Account": self._account(account_id)}

    def _list_accounts(self, call: Call) -> Answer:
        page, rest = _paged(call, list(self._world.accounts))
        return {"Accounts": [self._account(one) for one in page], **rest}

    def _list_parents(self, call: Call) -> Answer:
        if call.need("ChildId") not in self._world.accounts:
            raise AwsError("ChildNotFoundException", "We can't find a child with the ChildId that you specified.", 400)
        return {"Parents": [{"Id": ROOT, "Type": "ROOT"}]}

    def _list_policies_for_target(self, call: Call) -> Answer:
        target = self._target(call)
        if call.need("Filter") != SCP:
            return {"Policies": []}
        page, rest = _paged(call, self._of(target))
        return {"Policies": [_summary(self._policies[one]) for one in page], **rest}

    def _list_policies(self, call: Call) -> Answer:
        page, rest = _paged(call, list(self._policies) if call.need("Filter") == SCP else [])
        return {"Policies": [_summary(self._policies[one]) for one in page], **rest}

    def _describe_policy(self, call: Call) -> Answer:
        policy = self._policy(call)
        return {"Policy": {"PolicySummary": _summary(policy), "Content": policy.document}}

    def _create_policy(self, call: Call) -> Answer:
        name, document = str(call.need("Name")), str(call.need("Content"))
        if any(one.name == name for one in self._policies.values()):
            raise AwsError("DuplicatePolicyException", "A policy with the same name already exists.", 400)
        try:
            require_valid(document)
        except AwsError as error:
            raise AwsError("MalformedPolicyDocumentException", error.message, 400) from None
        policy = Scp(f"p-sandbox{len(self._policies):04}", name, str(call.params.get("Description", "")), document)
        self._policies[policy.policy_id] = policy
        return {"Policy": {"PolicySummary": _summary(policy), "Content": document}}

    def _attach_policy(self, call: Call) -> Answer:
        policy, target = self._policy(call), self._target(call)
        if policy.policy_id in self._of(target):
            raise AwsError("DuplicatePolicyAttachmentException", "The policy is already attached to the target.", 400)
        self._of(target).append(policy.policy_id)
        return {}

    def _detach_policy(self, call: Call) -> Answer:
        policy, target = self._policy(call), self._target(call)
        if policy.policy_id not in self._of(target):
            raise AwsError("PolicyNotAttachedException", "The policy isn't attached to the specified target.", 400)
        if len(self._of(target)) == 1:
            raise AwsError("ConstraintViolationException", "A target has at least one policy attached.", 400)
        self._of(target).remove(policy.policy_id)
        return {}

    def _policy(self, call: Call) -> Scp:
        policy = self._policies.get(str(call.need("PolicyId")))
        if policy is None:
            raise AwsError(
                "PolicyNotFoundException", "We can't find a policy with the PolicyId that you specified.", 400
            )
        return policy

    def _target(self, call: Call) -> str:
        target = str(call.need("TargetId"))
        if target != ROOT and target not in self._world.accounts:
            raise AwsError("TargetNotFoundException", "We can't find a root, OU, account with that TargetId.", 400)
        return target

    def _account(self, account_id: str) -> dict[str, Any]:
        status = "SUSPENDED" if account_id in self.suspended else "ACTIVE"
        return {
            "Id": account_id,
            "Arn": _account_arn(account_id),
            "Email": _email(account_id),
            "Name": f"sandbox-{account_id[-4:]}",
            "Status": status,
            "State": status,
            "JoinedMethod": "CREATED" if account_id != DEFAULT_ACCOUNT else "INVITED",
            "JoinedTimestamp": _JOINED,
        }


def _root() -> dict[str, Any]:
    return {
        "Id": ROOT,
        "Arn": f"arn:aws:organizations::{DEFAULT_ACCOUNT}:root/{ORGANIZATION}/{ROOT}",
        "Name": "Root",
        "PolicyTypes": [{"Type": SCP, "Status": "ENABLED"}],
    }


def _summary(policy: Scp) -> dict[str, Any]:
    owner = "aws" if policy.of_aws else DEFAULT_ACCOUNT
    place = "" if policy.of_aws else f"{ORGANIZATION}/"
    return {
        "Id": policy.policy_id,
        "Arn": f"arn:aws:organizations::{owner}:policy/{place}service_control_policy/{policy.policy_id}",
        "Name": policy.name,
        "Description": policy.description,
        "Type": SCP,
        "AwsManaged": policy.of_aws,
    }


def _paged(call: Call, items: list[str]) -> tuple[list[str], dict[str, str]]:
    size = call.number("MaxResults", _PAGE, 1, _PAGE, "InvalidInputException")
    start = call.number("NextToken", 0, 0, 2**31, "InvalidInputException")
    rest = {"NextToken": str(start + size)} if start + size < len(items) else {}
    return items[start : start + size], rest


def _account_arn(account_id: str) -> str:
    return f"arn:aws:organizations::{DEFAULT_ACCOUNT}:account/{ORGANIZATION}/{account_id}"


def _email(account_id: str) -> str:
    return f"aws+{account_id}@example.com"
