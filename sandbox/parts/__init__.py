"""What the sandbox's real servers have in common: pinned downloads, a Java, a supervised process on loopback ports.

Knows no server by name: each gives its `Product`. Whatever cannot be had is said (`SandboxError`), with the way out.
"""

from .errors import SandboxError
from .product import Product
from .server import LocalServer

__all__ = ["LocalServer", "Product", "SandboxError"]
