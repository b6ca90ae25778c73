"""The bare pool: threads that make given calls with plain boto3 clients. `python -m bench.bare`, told what on stdin.

What a user would write instead of the connector: no Kafka, no ledger, no lease, no order. boto3 as it comes, but for
its retries, which are off here as they are in the connector, and one connection per thread.
"""

import json
import queue
import sys
import threading
import time
from typing import Any

import boto3
from botocore.config import Config


def _method_of(client: Any, action: str) -> Any:
    names = {action: name for name, action in client.meta.method_to_api_mapping.items()}
    return getattr(client, names[action])


def run(told: dict[str, Any]) -> dict[str, Any]:
    """`sequences`: lists of (action, parameters); the calls of one sequence are made one after the other."""
    session = boto3.session.Session(
        aws_access_key_id=told["access_key_id"],
        aws_secret_access_key=told["secret_access_key"],
        region_name="us-east-1",
    )
    client = session.client(
        "iam",
        endpoint_url=told["url"],
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=told["threads"],
            connect_timeout=2,
            read_timeout=10,
        ),
    )
    actions = {action for sequence in told["sequences"] for action, _ in sequence}
    methods = {action: _method_of(client, action) for action in actions}
    work: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    for sequence in told["sequences"]:
        work.put(sequence)
    errors: dict[str, int] = {}

    def pull() -> None:
        while True:
            try:
                sequence = work.get_nowait()
            except queue.Empty:
                return
            for action, params in sequence:
                try:
                    methods[action](**params)
                except client.exceptions.ClientError as error:
                    code = error.response["Error"]["Code"]
                    errors[code] = errors.get(code, 0) + 1

    threads = [threading.Thread(target=pull) for _ in range(told["threads"])]
    cpu, began = time.process_time(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"cpu_s": time.process_time() - cpu, "seconds": time.monotonic() - began, "errors": errors}


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
