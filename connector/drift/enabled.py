"""Whether a user can sign in and be served at all: one answer for replies, states and changes."""

from connector.model.iam import Facet, Items

AWS_OWNED = ":iam::aws:policy/"
"""In the ARN of a policy that AWS owns, whatever the partition; a customer's policy of the same name denies nothing."""


def is_enabled(items: Items, *, deny_policy: str, deny_managed: str) -> bool | None:
    """False under an explicit deny; None where not everything that could hold one was read.

    Args:
        items: what is known of the user; a facet that is missing is unknown.
        deny_policy: the name of the inline policy that denies everything.
        deny_managed: the name of AWS's own policy that does the same.
    """
    managed = f"{AWS_OWNED}{deny_managed}".casefold()
    if any(item.key == deny_policy.casefold() for item in items.get(Facet.INLINE_POLICIES, ())):
        return False
    if any(item.key.endswith(managed) for item in items.get(Facet.ATTACHED_POLICIES, ())):
        return False
    return True if items.keys() >= {Facet.INLINE_POLICIES, Facet.ATTACHED_POLICIES} else None
