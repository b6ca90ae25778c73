"""Key-ordered concurrent consumption of co-partitioned topics.

Records of one key form a lane, worked strictly one after the other; lanes run side by side. The lanes know
epochs, leases, offsets and parking. They know nothing of IAM, of Avro or of what a record means: that is the
`Work` that the owner of a partition brings along (`streams.users`).
"""

from .api import Answer, DeadLetter, Delivery, Done, Leave, Park, Reopen, Work, WorkFactory
from .epoch import Epoch
from .group import LaneSettings
from .runner import LaneConsumer

__all__ = [
    "Answer",
    "DeadLetter",
    "Delivery",
    "Done",
    "Epoch",
    "LaneConsumer",
    "LaneSettings",
    "Leave",
    "Park",
    "Reopen",
    "Work",
    "WorkFactory",
]
