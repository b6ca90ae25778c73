"""A small client of Confluent's schema registry API, which Karapace, Apicurio and Redpanda speak too.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html. Bounded: each answer, as a whole, within
`timeout_s`. Speaks HTTP and says what was wrong; caches nothing, retries nothing, decides nothing (`codec.py` does).
A private CA is taken from SSL_CERT_FILE or SSL_CERT_DIR, a proxy from HTTPS_PROXY, a user and password from the URL.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx2

from streams.away import describe
from streams.errors import RegistryAway, RegistryRefused, SchemaRefused

from . import schemas
from .errors import Undecodable

TIMEOUT_S = 5.0
"""How long the registry may take for one answer, connecting included."""

_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"
_RIGHT_URL = "is SCHEMA_REGISTRY_URL right? Apicurio's ends in /apis/ccompat/v7, the others' in the port"


class _NotThere(Exception):
    """The registry answers, in its own words, that it has no such subject, version, schema or setting."""


class RegistryClient:
    """One registry, from one event loop.

    Args:
        url: as SCHEMA_REGISTRY_URL has it, `user:password@` included; `address` is the same without those.
        timeout_s: seconds for one answer as a whole.

    Every method raises RegistryAway where the registry does not answer, or only that it cannot now, and RegistryRefused
    where it does not let us, or is no registry.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self.address = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._timeout_s = timeout_s
        user = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
        try:
            self._client = httpx2.AsyncClient(
                base_url=self.address, auth=user, timeout=timeout_s, headers={"accept": _ACCEPT}, follow_redirects=True
            )
        except OSError as error:
            raise RegistryRefused(
                f"cannot set up TLS to reach the schema registry at {self.address}: {error}: look at SSL_CERT_FILE"
            ) from error

    async def close(self) -> None:
        await self._client.aclose()

    async def schema(self, number: int) -> schemas.Schema | None:
        """The writer's schema under an id; None: the registry does not know it (yet).

        Raises:
            Undecodable: the id names what can never be the schema of one of our records.
        """
        try:
            answer = _object(await self._ask("GET", f"/schemas/ids/{number}"))
        except _NotThere:
            return None
        kind = answer.get("schemaType") or "AVRO"
        if kind != "AVRO":
            raise Undecodable(f"the schema with the id {number} is {kind}, not Avro")
        if answer.get("references"):
            raise Undecodable(
                f"the schema with the id {number} refers to others: publish with one that holds all its types"
            )
        return to_schema(number, answer.get("schema"))

    async def find(self, subject: str, schema: schemas.Schema) -> int | None:
        """The id that this schema has under the subject; None: it is not registered there."""
        try:
            return _number(await self._ask("POST", f"/subjects/{_quoted(subject)}", _body(schema)))
        except _NotThere:
            return None

    async def register(self, subject: str, schema: schemas.Schema) -> int:
        """Register the schema; returns its id. One that is there already keeps its id.

        Raises:
            SchemaRefused: incompatible with what is registered; the message is the registry's.
        """
        try:
            return _number(await self._ask("POST", f"/subjects/{_quoted(subject)}/versions", _body(schema)))
        except _NotThere as error:
            raise RegistryRefused(f"the schema registry at {self.address} answers {error}: {_RIGHT_URL}") from error

    async def versions(self, subject: str) -> Sequence[int]:
        """The numbers of all versions, oldest first; none where the subject is not there."""
        try:
            return tuple(await self._ask("GET", f"/subjects/{_quoted(subject)}/versions"))
        except _NotThere:
            return ()

    async def version(self, subject: str, version: int) -> schemas.Schema | None:
        """The schema of one version; None: it was deleted meanwhile.

        Raises:
            Undecodable: it is no Avro record.
        """
        try:
            answer = _object(await self._ask("GET", f"/subjects/{_quoted(subject)}/versions/{version}"))
        except _NotThere:
            return None
        return to_schema(_number(answer), answer.get("schema"))

    async def compatibility(self, subject: str) -> str | None:
        """The subject's own level; None: it has none, the registry's default holds."""
        try:
            answer = _object(await self._ask("GET", f"/config/{_quoted(subject)}"))
        except _NotThere:
            return None
        return str(answer.get("compatibilityLevel") or answer.get("compatibility") or "") or None

    async def set_compatibility(self, subject: str, level: str) -> None:
        """Set the subject's own level; the subject need not exist."""
        try:
            await self._ask("PUT", f"/config/{_quoted(subject)}", {"compatibility": level})
        except _NotThere as error:
            raise RegistryRefused(f"the schema registry at {self.address} answers {error}: {_RIGHT_URL}") from error
        except SchemaRefused as error:
            # Apicurio 3.3.3, when two do it at once: "A rule named 'COMPATIBILITY' already exists".
            if await self.compatibility(subject) != level:
                raise RegistryAway(f"somebody else sets the compatibility of {subject} now: {error}") from error

    async def takes(self, subject: str, schema: schemas.Schema) -> bool:
        """Whether the registry itself would take the schema, by the subject's level; so it would where there is none yet."""
        path = f"/compatibility/subjects/{_quoted(subject)}/versions?verbose=true"
        try:
            answer = _object(await self._ask("POST", path, _body(schema)))
        except _NotThere:
            return True
        return bool(answer.get("is_compatible"))

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.request(method, path, json=body)
        except TimeoutError as error:
            raise RegistryAway(
                f"the schema registry at {self.address} does not answer within {self._timeout_s:g} s"
            ) from error
        except httpx2.HTTPError as error:
            raise RegistryAway(f"the schema registry at {self.address} does not answer ({describe(error)})") from error
        try:
            told = response.json()
        except ValueError:
            told = None
        if response.status_code != httpx2.codes.OK:
            raise self._refusal(response.status_code, told)
        if not isinstance(told, dict | list):
            raise RegistryRefused(f"what answers at {self.address} is no schema registry: {_RIGHT_URL}")
        return told

    def _refusal(self, status: int, told: Any) -> Exception:
        code, message = _words(told)
        says = f"the schema registry at {self.address} answers {status}" + (f" ({message})" if message else "")
        match status:
            case 404 if code // 100 == status:  # 40401 subject, 40402 version, 40403 schema, 40408 level: an answer
                return _NotThere(f"{code} {message}")
            case 401 | 403:
                return RegistryRefused(
                    f"{says}: it wants another user:password in SCHEMA_REGISTRY_URL, or other rights"
                )
            case 408 | 425 | 429:
                return RegistryAway(says)
            case 409:
                return SchemaRefused(message or says)
            case _ if status >= 500:
                return RegistryAway(says)
            case 404:
                return RegistryRefused(f"{says}: {_RIGHT_URL}")
            case _:
                return RegistryRefused(says)


def to_schema(number: int, text: Any) -> schemas.Schema:
    """A registered schema as a writer's; one of our own where it is the same.

    Raises:
        Undecodable: it is no Avro record.
    """
    try:
        parsed = json.loads(text)
        name = parsed["name"].rpartition(".")[2] if parsed["type"] == "record" else ""
        schema = schemas.parse(name, parsed)
    except Exception as error:  # noqa: BLE001 - anybody may register anything, and fastavro raises nearly anything
        raise Undecodable(f"the schema with the id {number} is no Avro record ({type(error).__name__})") from None
    if name not in schemas.NAMES:
        raise Undecodable(f"the schema with the id {number} is not one of ours ({name or parsed['type']})")
    return schemas.by_fingerprint().get(schema.fingerprint, schema)


def _body(schema: schemas.Schema) -> dict[str, str]:
    return {"schema": json.dumps(schema.text)}


def _quoted(subject: str) -> str:
    return quote(subject, safe="")


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise RegistryRefused(f"the schema registry answers with a list where an object belongs: {_RIGHT_URL}")
    return answer


def _number(answer: Any) -> int:
    number = _object(answer).get("id")
    if not isinstance(number, int):
        raise RegistryRefused(f"the schema registry answers without an id: {_RIGHT_URL}")
    return number


def _words(told: Any) -> tuple[int, str]:
    """The registry's error code and message, as far as it is one."""
    if not isinstance(told, dict):
        return 0, ""
    code, message = told.get("error_code"), told.get("message")
    return code if isinstance(code, int) else 0, " ".join(str(message or "").split())[:300]
