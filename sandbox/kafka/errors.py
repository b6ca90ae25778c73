"""What the sandbox says when a part of it cannot be had: one line of what, why, and the way out."""

import errno

# Every refusal of the real broker's parts ends with this: the sandbox has no second, weaker broker to fall back on.
WAY_OUT = "Way out: set KAFKA_BOOTSTRAP_SERVERS to a broker of your own, or run `docker compose up`."


class SandboxError(Exception):
    """A part of the sandbox cannot be had or did not come up. The message is for the user, as it stands."""


def unusable_path(doing: str, error: OSError) -> SandboxError:
    """Says what an OSError on the sandbox's own files means to the person who has to mend it."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SandboxError(
            f"The disk is full: {doing} failed{where}. Free some space, or point XDG_CACHE_HOME (the jars) "
            "or TMPDIR (the broker's data) at a larger disk."
        )
    return SandboxError(f"{doing} failed{where}: {error.strerror or error}.")
