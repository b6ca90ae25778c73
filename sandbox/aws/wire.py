"""How a service's calls look on the wire: the query protocol of IAM and STS, and JSON 1.0 and 1.1.

A wire reads a request into an action and its parameters, and makes answers and refusals of what came of it. It also has
AWS's habit of naming one and the same refusal differently from protocol to protocol (`own`).
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from .http import Request
from .iam import AwsError
from .protocol import Form, parse_form, to_answer, to_error


@dataclass(slots=True)  # made for each call: freezing it costs more than it does
class Reading:
    """What a request asks for."""

    action: str
    params: Form
    error: AwsError | None = None
    """Why it cannot be; told to those only whose signature is right."""


@dataclass(slots=True)  # made for each call: freezing it costs more than it does
class Reply:
    status: int
    head: str
    """Header lines, each ended."""
    body: bytes
    length: int | None = None
    """Content-Length where it is not the body's: an answer to HEAD."""


class Wire(Protocol):
    """One protocol as one service speaks it."""

    def read(self, request: Request) -> Reading:
        """Raises AwsError for what cannot be read at all."""

    def own(self, error: AwsError) -> AwsError:
        """The refusal by the name that this service has for it."""

    def answer(self, action: str, answer: Mapping[str, Any], request_id: str) -> Reply:
        """A success."""

    def refuse(self, action: str, error: AwsError, request_id: str) -> Reply:
        """A refusal, with the name that `own` gave it."""


@dataclass(frozen=True, slots=True)
class QueryWire:
    """A form goes in, XML comes out."""

    service: str
    version: str
    namespace: str

    def read(self, request: Request) -> Reading:
        form = parse_form(request.query if request.method == "GET" else request.body.decode("utf-8", "replace"))
        action = str(form.pop("Action", ""))
        version = form.pop("Version", None)
        error = None
        if version is not None and version != self.version:
            error = AwsError(
                "NoSuchVersion", f"The requested version ({version}) of service {self.service} does not exist."
            )
        elif not action:
            error = AwsError("MissingAction", "The request is missing an action or a required parameter.")
        return Reading(action, form, error)

    def own(self, error: AwsError) -> AwsError:
        return error

    def answer(self, action: str, answer: Mapping[str, Any], request_id: str) -> Reply:
        return Reply(200, _xml_head(request_id), to_answer(self.namespace, action, answer, request_id))

    def refuse(self, _action: str, error: AwsError, request_id: str) -> Reply:
        return Reply(error.status, _xml_head(request_id), to_error(self.namespace, error, request_id))


def _xml_head(request_id: str) -> str:
    return f"x-amzn-RequestId: {request_id}\r\nContent-Type: text/xml\r\n"


JSON_CODES: Mapping[str, str] = {
    "AccessDenied": "AccessDeniedException",
    "ExpiredToken": "ExpiredTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InvalidAction": "UnknownOperationException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "Throttling": "ThrottlingException",
    "ValidationError": "ValidationException",
}
"""Source: "Common errors" of the services that speak JSON. All of them are 400 there."""


@dataclass(frozen=True, slots=True)
class JsonWire:
    """JSON in, JSON out; `X-Amz-Target` says the action."""

    version: str
    prefixes: tuple[str, ...]
    """Of the target; today's boto3 sends the first."""
    codes: Mapping[str, str] = field(default_factory=lambda: JSON_CODES)
    type_prefix: str = ""
    """Stands before an error's `__type`."""
    query_codes: Mapping[str, str] = field(default_factory=dict)
    """Code → the code of the service's former query protocol, told in `x-amzn-query-error`; `*` for all."""

    def read(self, request: Request) -> Reading:
        target = request.headers.get(b"x-amz-target", b"").decode("latin-1")
        prefix, _, action = target.rpartition(".")
        error = None
        if prefix not in self.prefixes:
            error = AwsError("InvalidAction", f"The target {target!r} is unknown here.")
        try:
            params = json.loads(request.body or b"{}")
        except ValueError:
            params = None
        if not isinstance(params, dict):
            raise AwsError("SerializationException", "The request's body is no JSON object.", 400)
        return Reading(action, params, error)

    def own(self, error: AwsError) -> AwsError:
        code = self.codes.get(error.code)
        return error if code is None else AwsError(code, error.message, 400)

    def answer(self, _action: str, answer: Mapping[str, Any], request_id: str) -> Reply:
        return Reply(200, self._head(request_id), json.dumps(answer, default=_to_json).encode() if answer else b"{}")

    def refuse(self, _action: str, error: AwsError, request_id: str) -> Reply:
        head = self._head(request_id)
        former = self.query_codes.get(error.code)
        if former is None and self.query_codes:
            former = error.code
        if former is not None:
            head += f"x-amzn-query-error: {former};{'Sender' if error.status < 500 else 'Receiver'}\r\n"
        body = {"__type": f"{self.type_prefix}{error.code}", "message": error.message}
        return Reply(error.status, head, json.dumps(body).encode())

    def _head(self, request_id: str) -> str:
        return f"x-amzn-RequestId: {request_id}\r\nContent-Type: application/x-amz-json-{self.version}\r\n"


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} in an answer")
