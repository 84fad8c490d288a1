"""The steps that are typed functions; importing this package registers them."""

from engine.steps import debug, records, security

__all__ = ["debug", "records", "security"]
