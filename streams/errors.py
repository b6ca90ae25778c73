"""The errors of the streams that a person sees: one clear line each, never a traceback."""


class StreamsError(Exception):
    """Something about Kafka is not as it has to be; the message says what, where, and how to mend it."""


class BrokerAway(StreamsError):
    """Kafka could not be reached in time."""


class TopicsWrong(StreamsError):
    """Topics are missing, or differ from the table in a way that breaks a promise."""


class RegistryAway(StreamsError):
    """The schema registry could not be reached in time, or says that it cannot answer now: a wait."""


class RegistryRefused(StreamsError):
    """The schema registry does not let us, or what answers is none."""


class SchemaRefused(RegistryRefused):
    """A schema is not compatible with what is registered."""
