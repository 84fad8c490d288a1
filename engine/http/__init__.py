"""The server's side of HTTP: routes, inputs, answers, CORS, logs."""

from engine.late import put_off

# Its command line, with all that supervises processes and watches files: a server has its own.
put_off("uvicorn", "uvicorn.main", ("Server", "main", "run"))
