"""Several processes that serve, watched by one that starts another where one died."""

from __future__ import annotations

import socket

from uvicorn.supervisors import Multiprocess

from engine.http.serve import configure


class Supervisor(Multiprocess):
    """uvicorn's, but that nobody new is let in while the workers finish: it would wait for one that isn't there."""

    def terminate_all(self) -> None:
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def supervisor(workers: int, listening: socket.socket) -> Supervisor:
    """Who has so many processes serve the application of the environment's settings."""
    return Supervisor(configure("engine.http.serve:app_or_exit", workers=workers), [listening])
