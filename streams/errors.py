"""The errors of the streams that a person sees: one clear line each, never a traceback."""


class StreamsError(Exception):
    """Something about Kafka is not as it has to be; the message says what, where, and how to mend it."""


class BrokerAway(StreamsError):
    """Kafka could not be reached in time."""


class TopicsWrong(StreamsError):
    """Topics are missing, or differ from the table in a way that breaks a promise."""
