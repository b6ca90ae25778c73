"""Kafka and the other entrances. Has never heard of boto3."""
