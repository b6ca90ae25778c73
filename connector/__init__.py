"""The domain: AWS IAM and IDHub. Has never heard of Kafka or Avro."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("idhub-aws")
except PackageNotFoundError:  # a checkout that was never installed
    VERSION = "0+unknown"
