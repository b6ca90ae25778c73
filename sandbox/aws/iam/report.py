"""The credential report: what GenerateCredentialReport starts and GetCredentialReport hands out, as CSV.

Source: "Generate credential reports for your AWS account" in the IAM user guide. A report is made at most every four
hours; whoever asks again before that gets the old one, whatever has changed meanwhile. That is the trap of it.
"""

from datetime import UTC, datetime

from .context import Answer, Context
from .errors import AwsError
from .model import AccessKey, Certificate, PasswordPolicy, Report, User
from .shapes import Params
from .state import PASSWORD_POLICY

KEPT_S = 4 * 3600.0
HEAD = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,"
    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,"
    "access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,"
    "access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,"
    "cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)

_NONE, _UNSUPPORTED = "N/A", "not_supported"
_NO_KEY = ("false", _NONE, _NONE, _NONE, _NONE)
_NO_CERTIFICATE = ("false", _NONE)
_DAY_S = 86400


def generate_credential_report(ctx: Context, _params: Params) -> Answer:
    before = ctx.state.report
    if before is not None and ctx.moment < before.ready:
        return {"State": "INPROGRESS"}
    if before is not None and ctx.moment < before.started + KEPT_S:
        return {"State": "COMPLETE"}
    ready = ctx.moment + ctx.settings.credential_report_s
    ctx.state.report = Report(ctx.moment, ready, _to_csv(ctx))
    why = "No report exists." if before is None else "The report has expired."
    return {"State": "STARTED", "Description": f"{why} Starting a new report generation task"}


def get_credential_report(ctx: Context, _params: Params) -> Answer:
    report = ctx.state.report
    if report is None:
        raise AwsError("ReportNotPresent", "No report exists. Please generate a new report first.")
    if ctx.moment < report.ready:
        raise AwsError("ReportInProgress", "Report is not complete.")
    if ctx.moment >= report.started + KEPT_S:
        raise AwsError("ReportExpired", "The most recent report has expired. Please generate a new report.")
    made = datetime.fromtimestamp(int(report.started), UTC)
    return {"Content": report.content, "ReportFormat": "text/csv", "GeneratedTime": made}


def _to_csv(ctx: Context) -> bytes:
    policy = ctx.state.password_policy.get(PASSWORD_POLICY)
    lines = [HEAD, _root(ctx), *(",".join(_cells(ctx, user, policy)) for user in ctx.users())]
    return "\n".join(lines).encode()


def _root(ctx: Context) -> str:
    arn = f"arn:{ctx.owner.partition}:iam::{ctx.owner.account_id}:root"
    password = (_UNSUPPORTED, "no_information", _UNSUPPORTED, _UNSUPPORTED)
    cells = ("<root_account>", arn, "2015-02-06T18:39:46+00:00", *password, "true")
    return ",".join((*cells, *_NO_KEY, *_NO_KEY, *_NO_CERTIFICATE, *_NO_CERTIFICATE))


def _cells(ctx: Context, user: User, policy: PasswordPolicy | None) -> list[str]:
    keys = [_key(ctx, key) for key in user.access_keys.values()]
    certificates = [_certificate(one) for one in user.certificates.values()]
    return [
        user.name,
        ctx.arn("user", user.path, user.name),
        _date(user.created),
        *_password(user, policy),
        _told(bool(user.mfa)),
        *(cell for key in [*keys, _NO_KEY, _NO_KEY][:2] for cell in key),
        *(cell for one in [*certificates, _NO_CERTIFICATE, _NO_CERTIFICATE][:2] for cell in one),
    ]


def _password(user: User, policy: PasswordPolicy | None) -> tuple[str, str, str, str]:
    login = user.login
    if login is None:
        return "false", _NONE, _NONE, _NONE
    used = "no_information" if user.password_last_used is None else _date(user.password_last_used)
    changed = login.changed or login.created
    due = _NONE
    if policy is not None and policy.max_age is not None:
        due = _date(datetime.fromtimestamp(changed.timestamp() + policy.max_age * _DAY_S, UTC))
    return "true", used, _date(changed), due


def _key(ctx: Context, key: AccessKey) -> tuple[str, str, str, str, str]:
    when, service, region = ctx.state.last_used.get(key.key_id, (None, _NONE, _NONE))
    used = _NONE if when is None else _date(when)
    return _told(key.status == "Active"), _date(key.rotated or key.created), used, region, service


def _certificate(one: Certificate) -> tuple[str, str]:
    return _told(one.status == "Active"), _date(one.uploaded)


def _told(value: bool) -> str:
    return "true" if value else "false"


def _date(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
