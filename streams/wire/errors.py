"""What can be wrong with bytes.

WireError
├── Undecodable        poison: these bytes will never be a record
└── UnknownSchema      framed for a schema registry that is not configured, or with a schema that nobody landed
"""


class WireError(Exception):
    """These bytes cannot be read. The message never holds the payload."""


class Undecodable(WireError):
    """Empty, garbage, cut off, or with something behind the record."""


class UnknownSchema(WireError):
    """The framing names a schema that this version does not know."""
