"""Which uvicorn the server is known to fit."""

from __future__ import annotations

import re

import uvicorn

from engine.errors import SetupError

# Of its inside the server uses what a protocol is made with, and the supervisor of workers: every release is tried
# before it is let in.
OLDEST, TOO_NEW = (0, 54), (0, 56)
REQUIREMENT = "uvicorn>=0.54,<0.56"


def require_fitting_uvicorn() -> None:
    """Raises SetupError where another uvicorn is installed: bounds on requests might silently not hold."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", uvicorn.__version__)[:2])
    if not OLDEST <= numbers < TOO_NEW:
        mend = f"python -m pip install '{REQUIREMENT}'"
        raise SetupError(f"uvicorn {uvicorn.__version__} is installed, which the server doesn't fit: {mend}")
