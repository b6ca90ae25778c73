"""What can be wrong with bytes.

WireError
├── Undecodable        poison: these bytes will never be a record
└── UnknownSchema      framed for a schema registry that is not configured, or with a schema that nobody landed

SchemaNotCached        nothing is wrong: the registry has to be asked first. Deliberately no WireError, so that whoever
                       buries what cannot be read does not bury what only has to wait.
"""


class WireError(Exception):
    """These bytes cannot be read. The message never holds the payload."""


class Undecodable(WireError):
    """Empty, garbage, cut off, or with something behind the record."""


class UnknownSchema(WireError):
    """The framing names a schema that this version does not know."""


class SchemaNotCached(Exception):
    """The writer's schema is known to the registry alone, so far: ask for it, then decode again."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the schema with the id {number} was not fetched yet")
        self.number = number
