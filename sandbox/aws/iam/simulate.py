"""SimulatePrincipalPolicy and SimulateCustomPolicy: what the evaluation would say, for a preflight.

Resource policies are not looked at. One result for each action and resource, in the order asked.
"""

from dataclasses import replace

from .context import Answer, Context
from .documents import require_valid
from .errors import AwsError
from .model import Role, User
from .paging import page_items
from .principals import layers_of
from .rights import Decision, Keys, Layers, Source, evaluate
from .shapes import Params


def simulate_principal_policy(ctx: Context, params: Params) -> Answer:
    entity = _entity(ctx, params["PolicySourceArn"])
    layers = layers_of(ctx, entity)
    more = _inputs(params.get("PolicyInputList", ()), "PolicyInputList")
    layers = replace(layers, identity=(*layers.identity, *more))
    keys = {
        "aws:principalarn": params["PolicySourceArn"],
        "aws:principalaccount": ctx.owner.account_id,
        **{f"aws:principaltag/{key.casefold()}": value for key, value in entity.tags.items()},
    }
    if isinstance(entity, User):
        keys |= {"aws:username": entity.name, "aws:userid": entity.user_id}
    return _simulate(ctx, params, layers, keys)


def simulate_custom_policy(ctx: Context, params: Params) -> Answer:
    return _simulate(ctx, params, Layers(_inputs(params["PolicyInputList"], "PolicyInputList")), {})


def _simulate(ctx: Context, params: Params, layers: Layers, keys: Keys) -> Answer:
    bounds = params.get("PermissionsBoundaryPolicyInputList")
    if bounds:
        layers = replace(layers, boundary=_inputs(bounds, "PermissionsBoundaryPolicyInputList"))
    keys = {**keys, **{entry["ContextKeyName"].casefold(): entry["ContextKeyValues"] for entry in _entries(params)}}
    results: dict[str, Answer] = {}
    for action in params["ActionNames"]:
        if ":" not in action:
            raise AwsError("InvalidInput", f"Invalid Action Name: {action}")
        for resource in params.get("ResourceArns") or ["*"]:
            results[f"{len(results):06}"] = _result(layers, action, resource, keys)
    page, rest = page_items(ctx, params, results)
    return {"EvaluationResults": page, **rest}


def _result(layers: Layers, action: str, resource: str, keys: Keys) -> Answer:
    verdict = evaluate(layers, action, resource, keys)
    told: Answer = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": verdict.decision.value,
        "MatchedStatements": [
            {"SourcePolicyId": one.source_id, "SourcePolicyType": one.source_type} for one in verdict.matched
        ],
        "MissingContextValues": [],
    }
    if layers.boundary is not None:
        within = evaluate(Layers(layers.boundary), action, resource, keys).decision is Decision.ALLOWED
        told["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
    return told


def _entity(ctx: Context, arn: str) -> User | Role:
    head, _, place = arn.rpartition(":")
    kind, _, path = place.partition("/")
    name = path.rpartition("/")[2]
    if head == f"arn:{ctx.owner.partition}:iam::{ctx.owner.account_id}":
        found = ctx.find_user(name) if kind == "user" else ctx.find_role(name) if kind == "role" else None
        if found is not None and ctx.arn(kind, found.path, found.name) == arn:
            return found
    raise AwsError("NoSuchEntity", f"The entity with ARN {arn} cannot be found.")


def _inputs(documents: Params | tuple[str, ...] | list[str], name: str) -> tuple[Source, ...]:
    for document in documents:
        require_valid(document)
    return tuple(Source(document, f"{name}.{n}", "IAM Policy") for n, document in enumerate(documents, 1))


def _entries(params: Params) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = params.get("ContextEntries", [])
    return entries
