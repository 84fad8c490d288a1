"""The server as an ASGI application: `uvicorn server:app`, or `python server.py` with the settings of the environment."""

from __future__ import annotations

import sys

from engine.__main__ import main
from engine.http.serve import Settings, app_or_exit

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))

app = app_or_exit(Settings.from_environment())
