"""Every setting once: its name, type, default and meaning. The only reader of the environment.

Environment first (a `.env` file is read too), then a YAML file named by IDHUB_AWS_CONFIG. Wrong values and
misspelt names are all reported at once, at start, with the nearest known name.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from dotenv import dotenv_values
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from .errors import SettingProblem, SettingsError

PREFIX = "IDHUB_AWS_"
CONFIG_FILE = "IDHUB_AWS_CONFIG"
SANDBOX_NAMES = ("IDHUB_AWS_MAVEN_URL",)
"""Read by the sandbox alone; known here so that they are not taken for misspelt settings."""

# Names without our prefix that belong to others and that we read as they are.
SHARED_NAMES = ("KAFKA_BOOTSTRAP_SERVERS", "AWS_ACCESS_KEY")


_AND = "\n"
"""Between problems that one validator found."""

_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:.%]+\]|[^\s:/,\[\]]+):[0-9]{1,5}")
"""host:port; an IPv6 address stands in brackets."""


def _shared(name: str) -> Any:
    return AliasChoices(name, f"{PREFIX}{name}")


class Settings(BaseModel):
    """What the worker, the command line and the sandbox are told from outside. `docs/settings.md` is made from it."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    bootstrap_servers: str = Field("localhost:9092", validation_alias=_shared("KAFKA_BOOTSTRAP_SERVERS"))
    """Kafka brokers, `host:port` separated by commas."""
    topic_prefix: str = Field("idhub.aws", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Put before every topic's name."""
    group: str = Field("idhub-aws", pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """Consumer group; transactional ids are made from it. Workers that share the work share the group."""
    partitions: int = Field(12, ge=1, le=1000)
    """Partitions of the co-partitioned topics when `topics create` makes them."""
    replication_factor: int = Field(3, ge=1)
    """Replicas of each topic when `topics create` makes them; 1 on a single broker."""
    schema_registry_url: str | None = Field(None, validation_alias=_shared("SCHEMA_REGISTRY_URL"), repr=False)
    """A schema registry with Confluent's REST API, `user:password@` included where it wants one: records are then written in its
    wire format. Without it in Avro's single-object encoding. Apicurio's ends in `/apis/ccompat/v7`."""
    reply_topics: tuple[str, ...] = ()
    """Topics besides the default one that a `reply-topic` header may name, separated by commas."""
    max_request_bytes: int = Field(256 * 1024, ge=1024)
    """A larger request is answered REJECTED TOO_LARGE."""

    session_timeout_s: float = Field(20.0, ge=1.0)
    """Seconds after which Kafka gives a silent worker's partitions away; the lease is counted from it."""
    rebalance_timeout_s: float = Field(60.0, ge=1.0)
    """Seconds a member may take to join again; at least session plus call timeout."""
    tick_s: float = Field(1.0, gt=0.0)
    """Seconds between offset commits; each accepted commit renews the lease."""
    drain_s: float = Field(25.0, ge=0.0)
    """Seconds that running requests get to finish at SIGTERM."""
    run_ahead: int = Field(2_000, ge=1)
    """Records of one partition that may be delivered beyond the lowest unfinished one."""
    in_flight: int = Field(512, ge=1)
    """Lanes that may work at once in one worker."""

    call_threads: int = Field(64, ge=1, le=512)
    """Threads that call AWS."""
    connect_timeout_s: float = Field(2.0, gt=0.0)
    """Seconds to reach AWS's socket."""
    call_timeout_s: float = Field(10.0, gt=0.0)
    """Seconds that one AWS call may take as a whole, connecting included."""
    propagation_window_s: float = Field(120.0, ge=0.0)
    """Seconds after a change during which IAM's reads may be stale (AWS states none; Terraform uses 120)."""

    user_name: str | None = None
    """The guide's userName: the connector's own IAM user. It is checked against GetCallerIdentity."""
    access_key_id: str | None = Field(None, validation_alias=AliasChoices("IDHUB_AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"))
    """The guide's accessKeyId; without it the whole AWS credential chain is used."""
    secret_access_key: SecretStr | None = None
    """The guide's secretAccessKey; beside AWS_ACCESS_KEY the guide's AWS_SECRET_ACCESS_KEY is taken."""
    region: str = "aws-global"
    """The guide's region for IAM; names the partition for GovCloud and China."""
    protected_principals: tuple[str, ...] = ()
    """User names (with * and ?) that the connector never touches, separated by commas."""

    idhub_key: Path | None = None
    """A file with IDHub's public JWK, to which passwords are encrypted. Without it no login profile is made."""
    connector_key: Path | None = None
    """A file with the connector's private JWK, which opens `credential`."""
    change_password_next_sign_in: bool = False
    """The guide's changePasswordNextSignIn: whether a password that was set must be changed at sign-in."""
    account_schema: str | None = Field(None, validation_alias=_shared("ACCOUNT_SCHEMA"))
    """The guide's ACCOUNT_SCHEMA: IDHub's schema of accounts as a file's path, the built-in name `accountSchema`, or
    the JSON itself. Without it every attribute is taken."""
    second_look_s: float = Field(60.0, ge=0.0)
    """Seconds after a DISABLE or DELETE when the user is looked at again, and what was put back goes."""
    path_prefix: str = Field("/", pattern=r"^/([!-~]*/)?$")
    """New users are made under this path, and no path outside it is taken."""
    enable_programmatic_access: bool = False
    """The guide's enableProgrammaticAccess: ENABLE_ACCOUNT brings back the access keys and other credentials that were active."""
    mark_key: SecretStr | None = None
    """Key of the short HMAC in the user-agent mark; without it the mark only labels our calls."""

    alive_file: Path | None = None
    """A file that the worker touches each tick while its loop turns; `idhub-aws alive` looks at its age."""
    log_json: bool = False
    """Logs as JSON lines."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious log level that is shown."""

    @field_validator("reply_topics", "protected_principals", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for one in value.split(","):
            if not _ADDRESS.fullmatch(one.strip()):
                raise ValueError(f"{one.strip()!r} is no host:port (several are separated by commas)")
        return value

    @field_validator("schema_registry_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError(
                "must be like https://registry.example.com:8081, with user:password@ before the host if need be"
            )
        return value

    @field_validator("idhub_key", "connector_key")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no such file: {value}")
        return value

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        """What settings must say of each other; all of it at once."""
        wrong = []
        # A worker that lost its partition must have ended its last call before another one begins.
        if self.session_timeout_s <= self.call_timeout_s + 2 * self.tick_s:
            wrong.append(
                f"{PREFIX}SESSION_TIMEOUT_S: {self.session_timeout_s:g} is too little; it must be more "
                f"than CALL_TIMEOUT_S + 2 × TICK_S ({self.call_timeout_s + 2 * self.tick_s:g}): raise the first or lower the second"
            )
        if self.rebalance_timeout_s < self.session_timeout_s + self.call_timeout_s:
            wrong.append(
                f"{PREFIX}REBALANCE_TIMEOUT_S: {self.rebalance_timeout_s:g} is too little; it must be at least SESSION_TIMEOUT_S + "
                f"CALL_TIMEOUT_S ({self.session_timeout_s + self.call_timeout_s:g}): raise it"
            )
        if self.connect_timeout_s >= self.call_timeout_s:
            wrong.append(
                f"{PREFIX}CONNECT_TIMEOUT_S: {self.connect_timeout_s:g} is too much; it must be less than "
                f"CALL_TIMEOUT_S ({self.call_timeout_s:g})"
            )
        if (self.access_key_id is None) != (self.secret_access_key is None):
            wrong.append(f"{PREFIX}ACCESS_KEY_ID: belongs together with SECRET_ACCESS_KEY: set both, or none")
        if wrong:
            raise ValueError(_AND.join(wrong))
        return self

    @property
    def lease_s(self) -> float:
        """Seconds after an accepted commit during which a call may still begin."""
        return self.session_timeout_s - self.call_timeout_s


def _names_of(field: str) -> tuple[str, ...]:
    """The environment names of a field, the one that counts first."""
    alias = Settings.model_fields[field].validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (f"{PREFIX}{field.upper()}",)


def known_names() -> tuple[str, ...]:
    """Every environment name that a setting can be given by, as users write it."""
    names = {CONFIG_FILE, *SANDBOX_NAMES, *(name for field in Settings.model_fields for name in _names_of(field))}
    return tuple(sorted(names))


def _unknown(names: tuple[str, ...]) -> list[SettingProblem]:
    known = known_names()
    problems = []
    for name in names:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists the known ones"
        problems.append(SettingProblem(name, f"no such setting; {hint}"))
    return problems


def _from_yaml(path: str) -> dict[str, str]:
    """The YAML file as environment-like names, so that one check and one precedence rule serve both."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError((SettingProblem(CONFIG_FILE, f"cannot read {path}: {error}"),)) from error
    except yaml.YAMLError as error:
        raise SettingsError((SettingProblem(CONFIG_FILE, f"{path} is not YAML: {_mark(error)}"),)) from None
    if not isinstance(data, dict):
        raise SettingsError((SettingProblem(CONFIG_FILE, f"{path} must hold a mapping of names to values"),))
    flat: dict[str, str] = {}
    for key, value in data.items():
        upper = str(key).upper()
        name = upper if upper.startswith(PREFIX) or upper in SHARED_NAMES else f"{PREFIX}{upper}"
        if isinstance(value, dict):
            raise SettingsError((SettingProblem(name, f"in {path}: one value, or a list, and no mapping"),))
        if value is not None:  # `name:` with nothing behind it is not given
            flat[name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return flat


def _mark(error: yaml.YAMLError) -> str:
    """Where it stops being YAML; the error's own text quotes the line, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else type(error).__name__


def _from_dotenv(path: Path) -> dict[str, str]:
    try:
        told = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError((SettingProblem(str(path), f"cannot be read: {error}"),)) from error
    return {name: value for name, value in told.items() if value is not None}


def load_settings(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """Read and check all settings.

    Raises:
        SettingsError: with every wrong or unknown name at once.
    """
    environment = dict(os.environ if environ is None else environ)
    from_file = _from_dotenv(Path(".env") if dotenv is None else dotenv)
    config = environment.get(CONFIG_FILE) or from_file.get(CONFIG_FILE)
    sources = (environment, from_file, _from_yaml(config) if config else {})
    known = set(known_names())
    problems = _unknown(tuple(sorted({n for s in sources for n in s if n.startswith(PREFIX) and n not in known})))
    values: dict[str, str] = {}
    said: dict[str, str] = {}
    for field in Settings.model_fields:
        names = _names_of(field)
        for source, name in ((source, name) for source in sources for name in names):
            if source.get(name):
                values[names[0]], said[names[0]] = source[name], name
                break
    secret = f"{PREFIX}SECRET_ACCESS_KEY"
    if secret not in values and any(source.get("AWS_ACCESS_KEY") for source in sources):
        # Only beside the guide's own name: otherwise it belongs to AWS's credential chain.
        values[secret] = next(filter(None, (source.get("AWS_SECRET_ACCESS_KEY") for source in sources)), "")
    try:
        settings = Settings.model_validate(_by_alias({name: value for name, value in values.items() if value}))
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False, include_context=False):
            problems += _problems(item["loc"], item["msg"].removeprefix("Value error, "), said)
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def _problems(where: tuple[int | str, ...], message: str, said: Mapping[str, str]) -> list[SettingProblem]:
    """One problem of a field, under the name that the user gave it, or several that lie between fields."""
    if not where:
        return [SettingProblem(*one.split(": ", 1)) for one in message.split(_AND)]
    name = str(where[0])
    name = name if name in said else f"{PREFIX}{name.upper()}"
    return [SettingProblem(said.get(name, name), message)]


def _by_alias(values: dict[str, str]) -> dict[str, str]:
    """Names as `Settings` validates them: the alias where a field has one, else the field's own name."""
    aliased = {
        str(info.validation_alias.choices[0])
        for info in Settings.model_fields.values()
        if isinstance(info.validation_alias, AliasChoices)
    }
    return {n if n in aliased else n.removeprefix(PREFIX).lower(): v for n, v in values.items()}


def settings_table() -> str:
    """The table of `docs/settings.md`: name, default and meaning of every setting."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for field, info in Settings.model_fields.items():
        default = info.default
        shown = (
            ""
            if default is None or default == ()
            else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        )
        meaning = " ".join((info.description or "").split())
        rows.append(f"| {' or '.join(f'`{name}`' for name in _names_of(field))} | {shown} | {meaning} |")
    return "\n".join(rows)
