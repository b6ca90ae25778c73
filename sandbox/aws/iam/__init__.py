"""IAM of one AWS account, in memory: no sockets, no clock of its own, no randomness that a seed does not fix.

`Account.call` is the whole interface, and property tests use it directly. What must not come in here: HTTP, faults,
throttling, anything that only exists between a client and AWS.
"""

from .account import Account
from .errors import AwsError
from .settings import IamSettings, Quotas

__all__ = ["Account", "AwsError", "IamSettings", "Quotas"]
