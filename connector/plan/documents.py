"""Policy documents: what makes two of them the same, and whether a text is one at all."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


def to_document(text: str) -> Mapping[str, Any] | None:
    """A policy document's content, also of the URL-encoded form that IAM answers with; None where it is none."""
    for form in (text, unquote(text)):
        try:
            told = json.loads(form)
        except ValueError:
            continue
        return told if isinstance(told, Mapping) and "Statement" in told else None
    return None


def fingerprint(document: str | Mapping[str, Any]) -> str:
    """The same for two documents that differ only in white space or in the order of their keys."""
    told = to_document(document) if isinstance(document, str) else document
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
