"""Service-specific credentials: Git for CodeCommit, Keyspaces, and the API keys of Bedrock and CloudWatch Logs.

Their secrets are told once and not kept. One that has expired stays in the lists as Expired and cannot be revived.
"""

from dataclasses import replace
from datetime import timedelta

from .access_keys import require_settable
from .context import Answer, Context
from .errors import AwsError, over_quota
from .model import ServiceCredential, User, with_item, without_item
from .paging import page_items
from .shapes import Params

_PASSWORD_SERVICES = frozenset({"codecommit.amazonaws.com", "cassandra.amazonaws.com"})
_API_KEY_SERVICES = frozenset({"bedrock.amazonaws.com", "logs.amazonaws.com"})


def create_service_specific_credential(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    service = _supported(params["ServiceName"])
    days = params.get("CredentialAgeDays")
    if days is not None and service not in _API_KEY_SERVICES:
        raise AwsError("ValidationError", f"CredentialAgeDays is not supported for {service}.")
    same = [one for one in user.service_credentials.values() if one.service == service]
    if len(same) >= ctx.quotas.service_credentials_per_user:
        raise over_quota("ServiceSpecificCredentialsPerUser", ctx.quotas.service_credentials_per_user)
    credential = ServiceCredential(
        credential_id=ctx.ids.unique("ACCA"),
        service=service,
        public_name=_public_name(ctx, user, service),
        created=ctx.date,
        expires=None if days is None else ctx.date + timedelta(days=days),
    )
    ctx.put_user(
        replace(user, service_credentials=with_item(user.service_credentials, credential.credential_id, credential))
    )
    return {"ServiceSpecificCredential": _with_secret(ctx, user, credential)}


def list_service_specific_credentials(ctx: Context, params: Params) -> Answer:
    if params.get("AllUsers"):
        if "UserName" in params:
            raise AwsError("ValidationError", "UserName cannot be given together with AllUsers.")
        owners = list(ctx.users())
    else:
        owners = [ctx.target(params)]
    service = _supported(params["ServiceName"]) if "ServiceName" in params else None
    found = {
        one.credential_id: (user, one)
        for user in owners
        for one in user.service_credentials.values()
        if service is None or one.service == service
    }
    page, rest = page_items(ctx, params, found)
    return {"ServiceSpecificCredentials": [_to_credential(ctx, user, one) for user, one in page], **rest}


def update_service_specific_credential(ctx: Context, params: Params) -> Answer:
    user, credential = _find(ctx, params)
    require_settable(params["Status"])
    if _status(ctx, credential) == "Expired":
        raise AwsError("InvalidInput", "An expired service specific credential cannot be updated.")
    _replace(ctx, user, replace(credential, status=params["Status"]))
    return {}


def delete_service_specific_credential(ctx: Context, params: Params) -> Answer:
    user, credential = _find(ctx, params)
    ctx.put_user(replace(user, service_credentials=without_item(user.service_credentials, credential.credential_id)))
    return {}


def reset_service_specific_credential(ctx: Context, params: Params) -> Answer:
    user, credential = _find(ctx, params)
    credential = replace(credential, reset_count=credential.reset_count + 1)
    _replace(ctx, user, credential)
    return {"ServiceSpecificCredential": _with_secret(ctx, user, credential)}


def _supported(service: str) -> str:
    if service not in _PASSWORD_SERVICES | _API_KEY_SERVICES:
        raise AwsError("NotSupportedService", f"No such service {service} is supported.")
    return service


def _public_name(ctx: Context, user: User, service: str) -> str:
    """`jane-at-111122223333`, then `jane+1-at-111122223333`: unlike each other, also after one was deleted."""
    taken = {one.public_name for one in user.service_credentials.values() if one.service == service}
    number = 0
    while (name := f"{user.name}{f'+{number}' if number else ''}-at-{ctx.owner.account_id}") in taken:
        number += 1
    return name


def _find(ctx: Context, params: Params) -> tuple[User, ServiceCredential]:
    user = ctx.target(params)
    wanted = params["ServiceSpecificCredentialId"]
    credential = user.service_credentials.get(wanted)
    if credential is None:
        raise AwsError("NoSuchEntity", f"The service specific credential with id {wanted} cannot be found.")
    return user, credential


def _replace(ctx: Context, user: User, credential: ServiceCredential) -> None:
    credentials = with_item(user.service_credentials, credential.credential_id, credential)
    ctx.put_user(replace(user, service_credentials=credentials))


def _status(ctx: Context, credential: ServiceCredential) -> str:
    if credential.expires is not None and ctx.date >= credential.expires:
        return "Expired"
    return credential.status


def _to_credential(ctx: Context, user: User, credential: ServiceCredential) -> Answer:
    told: Answer = {
        "UserName": user.name,
        "Status": _status(ctx, credential),
        "CreateDate": credential.created,
        "ServiceSpecificCredentialId": credential.credential_id,
        "ServiceName": credential.service,
    }
    is_api_key = credential.service in _API_KEY_SERVICES
    told["ServiceCredentialAlias" if is_api_key else "ServiceUserName"] = credential.public_name
    if credential.expires is not None:
        told["ExpirationDate"] = credential.expires
    return told


def _with_secret(ctx: Context, user: User, credential: ServiceCredential) -> Answer:
    told = _to_credential(ctx, user, credential)
    is_api_key = credential.service in _API_KEY_SERVICES
    told["ServiceCredentialSecret" if is_api_key else "ServicePassword"] = ctx.ids.secret(44)
    return told
