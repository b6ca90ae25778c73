"""The errors of the connector, drawn as a tree.

    ConnectorError                 the root: something the connector understood and can say
    ├── RequestRefused             theirs: answered REJECTED, never retried, AWS not asked
    ├── SettingsError              at start only; lists every wrong setting at once
    ├── SecretError                a key file or a JWE that cannot be used
    └── AwsError                   AWS answered, or did not; carries the class that says what to do next

`CallForbidden` stands outside the tree on purpose: it must pass through every `except Exception`
(botocore wraps those) and end the life of a request in a worker that no longer owns it.
"""

from dataclasses import dataclass


class ConnectorError(Exception):
    """Something went wrong in a way that the connector understands."""


class RequestRefused(ConnectorError):
    """The request cannot be run as it stands: answered REJECTED with `code` and a sentence for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SecretError(ConnectorError):
    """A key file is missing or unusable, or a JWE does not open. The message never holds the secret."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One wrong setting: its name as the user writes it, what is wrong, how to mend it."""

    name: str
    problem: str


class SettingsError(ConnectorError):
    """One or more settings are wrong; `problems` holds all of them."""

    def __init__(self, problems: tuple[SettingProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{p.name}: {p.problem}" for p in problems))


class CallForbidden(BaseException):
    """The worker may not call AWS any more: its lease on the partition has run out or it was revoked.

    A BaseException: botocore turns every Exception raised below it into an HTTPClientError, which
    would look like an ambiguous answer of AWS (seen on boto3 1.44).
    """
