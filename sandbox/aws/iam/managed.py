"""Some of AWS's own managed policies, with their real names and paths.

Their documents are the real ones where those are short; the long ones are cut down to their sense, since rights are not
simulated. All of them were made by AWS long ago, so every account sees them from the start.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

from .model import Policy, PolicyVersion

_MADE = datetime(2015, 2, 6, 18, 39, 46, tzinfo=UTC)

_TABLE: tuple[tuple[str, str, str, str], ...] = (
    # path and name; effect; actions; description
    ("AdministratorAccess", "Allow", "*", "Provides full access to AWS services and resources."),
    ("PowerUserAccess", "Allow", "ec2:* s3:* lambda:*", "Full access, without management of users and groups."),
    ("ReadOnlyAccess", "Allow", "ec2:Describe* iam:Get* iam:List* s3:Get* s3:List*", "Read-only access to AWS."),
    ("SecurityAudit", "Allow", "iam:Get* iam:List* config:Describe*", "Read access to security configuration."),
    ("AWSDenyAll", "Deny", "*", "Deny all access."),
    ("IAMUserChangePassword", "Allow", "iam:ChangePassword iam:GetAccountPasswordPolicy", "Change one's own password."),
    ("IAMFullAccess", "Allow", "iam:* organizations:DescribeAccount", "Full access to IAM."),
    ("IAMReadOnlyAccess", "Allow", "iam:Get* iam:List* iam:Simulate* iam:Generate*", "Read-only access to IAM."),
    ("IAMUserSSHKeys", "Allow", "iam:*SSHPublicKey*", "Manage one's own SSH keys."),
    ("IAMSelfManageServiceSpecificCredentials", "Allow", "iam:*ServiceSpecificCredential*", "Manage one's own."),
    ("AmazonS3FullAccess", "Allow", "s3:* s3-object-lambda:*", "Full access to all buckets."),
    ("AmazonS3ReadOnlyAccess", "Allow", "s3:Get* s3:List* s3:Describe*", "Read-only access to all buckets."),
    ("AmazonEC2FullAccess", "Allow", "ec2:* elasticloadbalancing:* cloudwatch:*", "Full access to Amazon EC2."),
    ("AmazonEC2ReadOnlyAccess", "Allow", "ec2:Describe* ec2:Get*", "Read-only access to Amazon EC2."),
    ("AmazonRDSFullAccess", "Allow", "rds:* cloudwatch:ListMetrics", "Full access to Amazon RDS."),
    ("AmazonRDSReadOnlyAccess", "Allow", "rds:Describe* rds:ListTagsForResource", "Read-only access to Amazon RDS."),
    ("AmazonDynamoDBFullAccess", "Allow", "dynamodb:* dax:*", "Full access to Amazon DynamoDB."),
    ("AmazonDynamoDBReadOnlyAccess", "Allow", "dynamodb:Get* dynamodb:List*", "Read-only access to DynamoDB."),
    ("AmazonSQSFullAccess", "Allow", "sqs:*", "Full access to Amazon SQS."),
    ("AmazonSNSFullAccess", "Allow", "sns:*", "Full access to Amazon SNS."),
    ("AWSLambda_FullAccess", "Allow", "lambda:* iam:ListRoles", "Full access to AWS Lambda."),
    ("AWSLambda_ReadOnlyAccess", "Allow", "lambda:Get* lambda:List*", "Read-only access to AWS Lambda."),
    ("AWSCodeCommitPowerUser", "Allow", "codecommit:*", "Full access to repositories, without deleting them."),
    ("AWSCloudTrail_ReadOnlyAccess", "Allow", "cloudtrail:Get* cloudtrail:LookupEvents", "Read-only CloudTrail."),
    ("CloudWatchReadOnlyAccess", "Allow", "cloudwatch:Get* logs:Get*", "Read-only access to CloudWatch."),
    ("AWSSupportAccess", "Allow", "support:*", "Access to AWS Support."),
    ("job-function/Billing", "Allow", "aws-portal:* budgets:*", "Billing and cost management."),
    ("job-function/DataScientist", "Allow", "elasticmapreduce:* redshift:*", "Data analytics services."),
    ("job-function/DatabaseAdministrator", "Allow", "rds:* dynamodb:*", "Databases."),
    ("job-function/NetworkAdministrator", "Allow", "ec2:*Vpc* route53:*", "Network resources."),
    ("job-function/SupportUser", "Allow", "support:* ec2:Describe*", "Troubleshooting."),
    ("job-function/SystemAdministrator", "Allow", "ec2:* cloudwatch:*", "Resources for development."),
    ("job-function/ViewOnlyAccess", "Allow", "ec2:Describe* s3:List* iam:List*", "Names and metadata, no contents."),
    # Only the service itself may hold this one: attaching it is PolicyNotAttachable.
    ("aws-service-role/AWSSupportServiceRolePolicy", "Allow", "ec2:Describe*", "For AWS Support's own role."),
)


def aws_policies(partition: str) -> Iterator[Policy]:
    """The table's policies, as an account of that partition sees them."""
    for place, effect, actions, description in _TABLE:
        directory, _, name = f"/{place}".rpartition("/")
        words = actions.split()
        statement = {"Effect": effect, "Action": words[0] if len(words) == 1 else words, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
        yield Policy(
            policy_id="ANPAI" + hashlib.sha256(place.encode()).hexdigest()[:16].upper(),
            name=name,
            path=f"{directory}/",
            arn=f"arn:{partition}:iam::aws:policy/{place}",
            created=_MADE,
            default="v1",
            versions={"v1": PolicyVersion("v1", document, _MADE)},
            description=description,
            of_aws=True,
            attachable=not place.startswith("aws-service-role/"),
        )
