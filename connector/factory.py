"""Settings in, wired parts out. The one place that knows everybody; nothing here calls AWS."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from connector import VERSION
from connector.aws.account import AwsAccount
from connector.aws.client import Api, BotoApi, ClientSettings, open_api
from connector.aws.errors import AwsError, ErrorClass
from connector.aws.mark import Marker
from connector.aws.pace import Pace
from connector.clock import SystemClock
from connector.errors import SecretError, SettingProblem, SettingsError
from connector.model.results import Wait
from connector.plan.rules import Rules
from connector.plan.schema import Schema, SchemaProblem, to_schema
from connector.ports import Clock, MayCall
from connector.provision import Means, Provisioning
from connector.refresh import Refreshing
from connector.secrets import load_opener, load_sealer
from connector.settings import PREFIX, Settings

T = TypeVar("T")

SCHEMAS = Path(__file__).parent / "schemas"
BUILT_IN = ("accountSchema", "entitlementSchema")
"""The schemas of IDHub's guide, by the names that it gives them."""

ACCOUNT_RETRY_S = 1.0
"""Seconds until GetCallerIdentity is asked again after it failed for another reason than our credentials."""


class Connector:
    """The wired domain."""

    def __init__(self, settings: Settings, account: AwsAccount, api: Api, means: Means) -> None:
        self._settings = settings
        self._account = account
        self._api = api
        self._means = means
        self.provisioning = Provisioning(means)
        self.refreshing = Refreshing(account, means.clock, means.pace, means.window)

    def describe(self) -> Mapping[str, str]:
        """Who we are, for the log: no secret, and nothing is asked of AWS for it."""
        caller = self._account.known_caller
        return {
            "version": VERSION,
            "region": self._settings.region,
            "credentials": self._settings.access_key_id or "credential chain",
            "arn": caller.arn if caller is not None else "not asked yet",
            "passwords": "delivered to IDHub's key" if self._means.sealer is not None else "none: no key of IDHub",
        }

    def own_account(self, may_call: MayCall) -> str | Wait:
        """The account of the connector's own credentials, for requests that name none; or a wait until AWS tells.

        Raises:
            CallForbidden: `may_call` said no.
        """
        line = self._account.line()
        line.may_call = may_call
        try:
            return self._account.caller(line).account
        except AwsError as error:
            if error.kind is ErrorClass.OUR_CREDENTIALS:
                return Wait(self._account.credentials_wait(), "credentials", {"code": error.code})
            return Wait(ACCOUNT_RETRY_S, "own account", {"code": error.code})

    def close(self) -> None:
        """Give up connections and threads; no call may be on its way."""
        self._api.close()


def build(
    settings: Settings, *, clock: Clock | None = None, pace: Pace | None = None, api: Api | None = None
) -> Connector:
    """Wire the connector.

    `clock`, `pace` and `api` are for tests; AWS's address comes from AWS_ENDPOINT_URL[_IAM|_STS], as boto3 has it.

    Raises:
        SettingsError: key files that cannot be used, a profile that does not exist; all at once.
    """
    problems: list[SettingProblem] = []
    sealer = _load(settings.idhub_key, load_sealer, "IDHUB_KEY", problems)
    opener = _load(settings.connector_key, load_opener, "CONNECTOR_KEY", problems)
    rules = Rules(
        programmatic_access=settings.enable_programmatic_access,
        account_schema=_load_schema(settings.account_schema, "ACCOUNT_SCHEMA", problems),
        path_prefix=settings.path_prefix,
    )
    if problems:
        raise SettingsError(tuple(problems))
    clock = clock or SystemClock()
    pace = pace or Pace()
    api = api or _to_api(settings)
    marker = Marker(settings.mark_key.get_secret_value().encode() if settings.mark_key is not None else None)
    account = AwsAccount(api, marker, clock, pace, settings.user_name)
    means = Means(
        account=account,
        clock=clock,
        pace=pace,
        call_timeout_s=settings.call_timeout_s,
        window=timedelta(seconds=settings.propagation_window_s),
        protected=settings.protected_principals,
        sealer=sealer,
        opener=opener,
        reset_required=settings.change_password_next_sign_in,
        second_look=timedelta(seconds=settings.second_look_s),
        rules=rules,
    )
    return Connector(settings, account, api, means)


def _load(path: Path | None, load: Callable[[Path], T], name: str, problems: list[SettingProblem]) -> T | None:
    if path is None:
        return None
    try:
        return load(path)
    except SecretError as error:
        problems.append(SettingProblem(f"{PREFIX}{name}", str(error)))
        return None


def _load_schema(given: str | None, name: str, problems: list[SettingProblem]) -> Schema | None:
    """A schema by its built-in name, from a file, or as it stands."""
    if given is None:
        return None
    built_in = SCHEMAS / f"{given}.json"
    try:
        if given.lstrip().startswith(("{", "[")):
            return to_schema(given)
        if given in BUILT_IN:
            return to_schema(built_in.read_text(encoding="utf-8"))
        return to_schema(Path(given).read_text(encoding="utf-8"))
    except SchemaProblem as problem:
        problems.append(SettingProblem(name, str(problem)))
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(BUILT_IN)
        problems.append(SettingProblem(name, f"{given}: no file that can be read ({error}); built in are {known}"))
    return None


def _to_api(settings: Settings) -> BotoApi:
    secret = settings.secret_access_key
    return open_api(
        ClientSettings(
            region=settings.region,
            connect_timeout_s=settings.connect_timeout_s,
            call_timeout_s=settings.call_timeout_s,
            connections=settings.call_threads,
            access_key_id=settings.access_key_id,
            secret_access_key=secret.get_secret_value() if secret is not None else None,
        )
    )
