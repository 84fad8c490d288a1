"""Token keys, auth tokens and password hashes."""

from __future__ import annotations
