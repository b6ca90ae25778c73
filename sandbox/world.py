"""The world that the demo runs in: a real Kafka, the AWS stand-in, a key pair for IDHub, settings that point at them."""

import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwe
from joserfc.jwk import RSAKey

from connector.settings import Settings, load_settings
from sandbox.aws import BREAK_GLASS, CONNECTOR, DEFAULT_ACCOUNT, connector_key, secret_of
from sandbox.aws.client import StandInClient
from sandbox.aws.process import StandInProcess
from sandbox.kafka import KafkaBroker


@dataclass(frozen=True, slots=True)
class IdhubKey:
    """The key pair that IDHub would have: the connector only ever gets the public half."""

    _key: RSAKey

    def open(self, credential: str) -> dict[str, str]:
        """What a delivered credential says."""
        opened = jwe.decrypt_compact(credential, self._key, algorithms=["RSA-OAEP-256", "A256GCM"])
        told: dict[str, str] = json.loads(opened.plaintext or b"{}")
        return told


@dataclass(frozen=True, slots=True)
class World:
    """What is up, and how to reach it."""

    settings: Settings
    aws: StandInClient
    idhub_key: IdhubKey


@contextmanager
def world(say: Callable[[str], None], *, registry: bool = False, keycloak: bool = False) -> Iterator[World]:
    """Bring everything up; it ends in order, whatever happens inside. `registry`, `keycloak`: those real servers too.

    Raises:
        SandboxError: a part cannot be had; says which, why, and the way out.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idhub-aws-sandbox.")))
        servers, prefix = _kafka(stack, say)
        aws = stack.enter_context(StandInProcess())
        say(f"AWS stand-in   {aws.url}  account {DEFAULT_ACCOUNT}")
        with_registry = _registry(stack, say) if registry else {}
        if keycloak:
            _keycloak(stack, say)
        key = RSAKey.generate_key(2048, {"kid": "idhub-sandbox", "use": "enc"})
        public = home / "idhub.public.jwk"
        public.write_text(json.dumps(key.as_dict(private=False)), encoding="utf-8")
        os.environ["AWS_ENDPOINT_URL"] = aws.url  # how every AWS program is pointed elsewhere
        settings = load_settings(
            {
                "KAFKA_BOOTSTRAP_SERVERS": servers,
                **with_registry,
                "IDHUB_AWS_TOPIC_PREFIX": prefix,
                "IDHUB_AWS_GROUP": prefix,
                "IDHUB_AWS_ACCESS_KEY_ID": connector_key(),
                "IDHUB_AWS_SECRET_ACCESS_KEY": secret_of(connector_key()),
                "IDHUB_AWS_USER_NAME": CONNECTOR,
                "IDHUB_AWS_PROTECTED_PRINCIPALS": BREAK_GLASS,
                "IDHUB_AWS_IDHUB_KEY": str(public),
                "IDHUB_AWS_PARTITIONS": "4",
                "IDHUB_AWS_REPLICATION_FACTOR": "1",
                # Short, because here nobody else's network is in the way.
                "IDHUB_AWS_SESSION_TIMEOUT_S": "10",
                "IDHUB_AWS_CALL_TIMEOUT_S": "5",
            },
            dotenv=home / "none.env",
        )
        yield World(settings, aws.client, IdhubKey(key))


def _kafka(stack: ExitStack, say: Callable[[str], None]) -> tuple[str, str]:
    """The broker's address and the prefix of the topics: of its own on a broker that outlives this world."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        say(f"Kafka          {given} (yours)")
        return given, f"idhub.sandbox.{uuid.uuid4().hex[:8]}"
    broker = stack.enter_context(KafkaBroker())
    say(f"Apache Kafka   {broker.bootstrap}")
    return broker.bootstrap, "idhub.aws"


def _registry(stack: ExitStack, say: Callable[[str], None]) -> dict[str, str]:
    """The setting that points at a schema registry of this world's own."""
    from sandbox.registry import RegistryServer  # noqa: PLC0415 - few ask for it

    registry = stack.enter_context(RegistryServer())
    say(f"registry       {registry.url}")
    return {"SCHEMA_REGISTRY_URL": registry.url}


def _keycloak(stack: ExitStack, say: Callable[[str], None]) -> None:
    from sandbox.keycloak import KeycloakServer  # noqa: PLC0415 - few ask for it

    say(stack.enter_context(KeycloakServer()).advice())
