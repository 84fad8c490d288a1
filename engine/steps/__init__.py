"""The steps that are typed functions; importing this package registers them."""

from engine.steps import bulk, debug, records, security, sql, tables

__all__ = ["bulk", "debug", "records", "security", "sql", "tables"]
