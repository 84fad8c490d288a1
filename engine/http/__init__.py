"""The server's side of HTTP: routes, inputs, answers, CORS, logs."""
