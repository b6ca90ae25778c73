"""Pages: every list that IAM knows comes in them, 100 items at a time unless asked otherwise.

A marker names the last key of its page, not a number, so that a list read while others write repeats nothing and loses
nothing that was there all the time. Clients may not look into it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .context import Context
from .errors import AwsError
from .shapes import Params

T = TypeVar("T")

DEFAULT_PAGE = 100


def page_keys(ctx: Context, params: Params, keys: Sequence[str]) -> tuple[Sequence[str], dict[str, Any]]:
    """One page of sorted keys, and IsTruncated with, perhaps, Marker.

    Raises:
        AwsError: ValidationError for a marker that no page gave.
    """
    start = 0
    if "Marker" in params:
        start = bisect_right(keys, _decode(params["Marker"]))
    size = params.get("MaxItems", DEFAULT_PAGE)
    if ctx.settings.page_limit is not None:
        size = min(size, ctx.settings.page_limit)
    page = keys[start : start + size]
    if start + size >= len(keys):
        return page, {"IsTruncated": False}
    return page, {"IsTruncated": True, "Marker": _encode(page[-1])}


def page_items(ctx: Context, params: Params, items: Mapping[str, T]) -> tuple[list[T], dict[str, Any]]:
    """One page of what is kept by key, in the order of the keys."""
    page, rest = page_keys(ctx, params, sorted(items))
    return [items[key] for key in page], rest


def page_of(
    ctx: Context, params: Params, entities: Iterable[T], key: Callable[[T], str]
) -> tuple[list[T], dict[str, Any]]:
    """One page of entities, in the order of a key that tells them apart."""
    return page_items(ctx, params, {key(entity): entity for entity in entities})


def _encode(key: str) -> str:
    return urlsafe_b64encode(key.encode()).decode()


def _decode(marker: str) -> str:
    try:
        return urlsafe_b64decode(marker.encode("ascii")).decode()
    except (Base64Error, UnicodeError):
        raise AwsError("ValidationError", "Invalid Marker.") from None
