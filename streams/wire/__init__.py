"""Bytes ↔ records ↔ the model. Knows Avro and Kafka's headers; no client, no network, no decision."""

from .framing import decode_record, encode_record

__all__ = ["decode_record", "encode_record"]
