"""The steps that are typed functions; importing this package registers them."""

from engine.steps import bulk, debug, queries, records, security, tables

__all__ = ["bulk", "debug", "queries", "records", "security", "tables"]
