"""A gate before an endpoint that hashes passwords: shut while so many wait for a hash that one more would be refused.

What is turned away at it costs next to nothing: no token is opened, no body read, and the log has one line a second for
all of it. The answer is held back for a moment, and with it whoever asks again as soon as it is there: so they keep no
core busy that hashes need, and a burst of logins holds up nobody but those who log in.
"""

from __future__ import annotations

import asyncio

from engine.http.logs import Report
from engine.http.responses import Answer, refusal
from engine.security.passwords import Passwords, busy

HOLD_SECONDS = 0.04
LOG_SECONDS = 1.0


class Gate:
    """The gate before one endpoint."""

    def __init__(self, passwords: Passwords, report: Report, route: str) -> None:
        self._passwords, self._report, self._route = passwords, report, route
        self._fault = busy()
        self._answer = refusal(self._fault, "")
        self._count = 0

    @property
    def is_shut(self) -> bool:
        """Whether a request that comes now is to be turned away."""
        return self._passwords.is_full

    async def turn_away(self) -> Answer:
        """What a request is answered that comes while it is shut, once that may be sent."""
        if not self._count:
            asyncio.get_running_loop().call_later(LOG_SECONDS, self._tell)
        self._count += 1
        await asyncio.sleep(HOLD_SECONDS)
        return self._answer

    def _tell(self) -> None:
        count, self._count = self._count, 0
        self._report.turned_away(self._route, count, self._fault)
