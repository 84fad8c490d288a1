"""Where records are kept: one protocol, its SQL, and the storages that speak it."""
