"""What the sandbox says when a part of it cannot be had: one line of what, why, and the way out."""

import errno


class SandboxError(Exception):
    """A part of the sandbox cannot be had or did not come up. The message is for the user, as it stands."""


def unusable_path(doing: str, error: OSError) -> SandboxError:
    """Says what an OSError on the sandbox's own files means to the person who has to mend it."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SandboxError(
            f"The disk is full: {doing} failed{where}. Free some space, or point XDG_CACHE_HOME (what is downloaded) "
            "or TMPDIR (what the servers keep) at a larger disk."
        )
    return SandboxError(f"{doing} failed{where}: {error.strerror or error}.")
