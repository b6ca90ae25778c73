"""Frozen values: what is asked, what IAM looks like, what came of it. No I/O, no clock, no Kafka."""
