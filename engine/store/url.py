"""Where a PostgreSQL database is: `postgresql://user:password@host:port/name`, whose password is never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit

from engine.errors import SetupError

SCHEMES = ("postgresql", "postgres")
CONNECTIONS = 10  # that a process holds at most, where the URL doesn't say
MOST_CONNECTIONS = 1000
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST_NAME = 63  # bytes of a schema's; the server cuts longer ones, and two could become the same


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A URL with `connections=20` taken out of what follows its `?`; the rest is as libpq has it, or server settings.

    `shown` is what may be printed; `options` are the names of the rest. `schema` is the one that is made where it isn't
    there, empty where the server's `search_path` names it.
    """

    _text: str = field(repr=False)
    shown: str
    options: frozenset[str] = frozenset()
    connections: int = CONNECTIONS
    schema: str = ""

    @classmethod
    def parse(cls, text: str) -> DatabaseUrl:
        """Raises SetupError where it is no such URL."""
        parts = urlsplit(text)
        try:
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise SetupError("STACKWRIGHT_DATABASE_URL: its port is no number from 0 to 65535") from None
        user = f"{parts.username}@" if parts.username else ""
        host = parts.hostname or ""
        shown = f"{parts.scheme}://{user}{f'[{host}]' if ':' in host else host}{port}{parts.path}"
        options = _options(parts.query)
        connections = _count(options.pop("connections")) if "connections" in options else CONNECTIONS
        return cls(_joined(text, options), shown, frozenset(options), connections)

    def at(self, data_source: str) -> DatabaseUrl:
        """Where a data source beside `live` is: in a schema named after that of `live`, as in `public.test`.

        Its connections see that schema alone. Raises SetupError where the name would be cut.
        """
        options = _options(urlsplit(self._text).query)
        live = unquote(options.get("search_path", "")).partition(",")[0].strip(' "') or "public"
        schema = f"{live}.{data_source}"
        if len(schema.encode()) > LONGEST_NAME:
            raise SetupError(
                f"the schema '{schema}' has a name of more than {LONGEST_NAME} bytes: shorten a part of it"
            )
        path = f'"{schema}"'
        text = _joined(self._text, options | {"search_path": quote(path)})
        return replace(self, _text=text, shown=f"{self.shown}?search_path={path}", schema=schema)

    def __str__(self) -> str:
        return self.shown

    @property
    def place(self) -> tuple[str, int, str, str]:
        """Where the tables are, whoever asks for them: the host, its port, the database, and its `search_path`."""
        parts, options = urlsplit(self._text), _options(urlsplit(self._text).query)
        host = unquote(options.get("host", "")) or parts.hostname or "localhost"
        path = unquote(options.get("search_path", "")) or "public"
        return "localhost" if host in _HERE else host, parts.port or 5432, unquote(parts.path), path

    def reveal(self) -> str:
        """The whole URL, the password included."""
        return self._text

    def redacted(self, text: str) -> str:
        """`text` without the password."""
        parts = urlsplit(self._text)
        written = [parts.password or "", _options(parts.query).get("password", "")]
        for secret in filter(None, [*written, *map(unquote, written)]):
            text = text.replace(secret, "…")
        return text


def _options(query: str) -> dict[str, str]:
    """What follows a URL's `?`, as it is written."""
    pairs = (option.partition("=") for option in query.split("&") if option)
    return {name: value for name, _, value in pairs}


def _joined(text: str, options: Mapping[str, str]) -> str:
    """A URL with these options in the place of its own."""
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return text.partition("?")[0] + ("?" + query if query else "")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_CONNECTIONS:
        return int(text)
    raise SetupError(f"STACKWRIGHT_DATABASE_URL: connections={text} is no number from 1 to {MOST_CONNECTIONS}")
