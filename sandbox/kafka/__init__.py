"""The real Apache Kafka 4.3.1 as one process on this machine, for the demo, the tests and the benches.

`KafkaBroker` starts it from pinned jars, kills, freezes and restarts it; `python -m sandbox.kafka` runs one until
Ctrl-C. There is no weaker broker behind it: what cannot be had is said (`SandboxError`), with the way out.
"""

from sandbox.parts import SandboxError

from .broker import KafkaBroker

__all__ = ["KafkaBroker", "SandboxError"]
