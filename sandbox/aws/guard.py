"""Rights, where `enforce_policies` is on: AccessDenied, in AWS's words, for what a caller's policies do not allow.

GetCallerIdentity needs no right. Policies of resources (queues, buckets, secrets) are not looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from .call import Call
from .iam import AwsError
from .iam.model import Role, User
from .iam.principals import layers_of
from .iam.rights import Decision, Layers, Source, Verdict, evaluate
from .iam.state import State, View
from .sts import caller_keys


class Guard:
    """Judges calls. `organization` gives the SCPs over an account, or None where none has a say."""

    def __init__(self, organization: Callable[[str], Sequence[Source] | None]) -> None:
        self._organization = organization

    def require(self, call: Call, action: str, resource: str) -> None:
        """Raises AccessDenied unless the caller may do it."""
        verdict = self.judge(call, action, resource)
        if verdict.decision is Decision.ALLOWED:
            return
        why = (
            f"with an explicit deny in {_article(verdict.layer)}"
            if verdict.decision is Decision.EXPLICIT_DENY
            else f"because no {verdict.layer} allows the {action} action"
        )
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {resource} {why}",
        )

    def judge(self, call: Call, action: str, resource: str) -> Verdict:
        """What the caller's policies say."""
        caller = call.principal
        entity = caller.entity
        layers = Layers(()) if entity is None else _layers(caller.account.state, call.as_of, entity)
        if caller.session is not None and caller.session.policies:
            layers = replace(layers, session=tuple(map(Source, caller.session.policies)))
        layers = replace(layers, organization=self._organization(call.account_id))
        keys = caller_keys(caller)
        keys["aws:requestedregion"] = call.region
        for name, key in (("PolicyArn", "iam:policyarn"), ("PermissionsBoundary", "iam:permissionsboundary")):
            value = call.params.get(name)
            if isinstance(value, str):
                keys[key] = value
        return evaluate(layers, action, resource, keys)


def _layers(state: State, at: float | None, entity: User | Role) -> Layers:
    return layers_of(View(state, at), entity)


def _article(layer: str) -> str:
    return f"{'an' if layer[0] in 'aeiou' else 'a'} {layer}"
