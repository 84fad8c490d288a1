"""The server as an ASGI application: `uvicorn server:app`, or `python server.py`; the environment has its settings."""

from __future__ import annotations

import sys

from engine.__main__ import main
from engine.http.serve import app_or_exit

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))

if __name__ != "__mp_main__":  # a worker of the line above, which makes an application of its own
    app = app_or_exit()
