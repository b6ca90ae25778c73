"""Apache Avro's own opinion, as an oracle."""

import json

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


def avro_says(reader, writer):
    """Whether this reader can read what this writer writes."""
    checker = ReaderWriterCompatibilityChecker()
    told = checker.get_compatibility(avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer)))
    return told.compatibility is SchemaCompatibilityType.compatible
