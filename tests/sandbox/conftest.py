"""The AWS stand-in's fixtures, for the tests of this folder."""

from tests.support.aws import aws, aws_process, iam

__all__ = ["aws", "aws_process", "iam"]
