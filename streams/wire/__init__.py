"""Bytes ↔ records ↔ the model. Knows Avro, Kafka's headers and the schema registry; no Kafka client, no decision."""

from .framing import decode_record, encode_record

__all__ = ["decode_record", "encode_record"]
