"""Who asks behind proxies: `X-Forwarded-For` and `X-Forwarded-Proto`, believed of those that are trusted only."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from engine.errors import SetupError

MAX_HOPS = 32  # addresses that are looked at, from the right

Address = IPv4Address | IPv6Address


class Proxies:
    """The proxies in front of the server. Without any, a connection's other end is the client."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)
        self._is_one = lru_cache(maxsize=1024)(self._contains)

    @classmethod
    def parse(cls, text: str) -> Proxies | None:
        """Those of `127.0.0.1, 10.0.0.0/8`: addresses and networks; None for no text. Raises SetupError."""
        words = [word.strip() for word in text.split(",") if word.strip()]
        return cls(map(_network, words)) if words else None

    def _contains(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def apply(self, scope: MutableMapping[str, Any]) -> None:
        """Has `scope` of an ASGI request say who asks and how, where a trusted proxy tells it.

        The client is the rightmost forwarded address that is no proxy of ours: what stands left of it, anybody may
        have written.
        """
        client = scope.get("client")
        address = _address(client[0]) if client else None
        if address is None or not self._is_one(address):
            return
        headers = scope["headers"]
        for hop in _hops(headers):
            found = _address(hop)
            if found is None:
                break
            address = found
            if not self._is_one(found):
                break
        scope["client"] = (str(address), 0)
        scheme = next((value for name, value in reversed(headers) if name == b"x-forwarded-proto"), b"")
        said = scheme.rpartition(b",")[2].strip().lower()
        if said in (b"http", b"https"):
            scope["scheme"] = said.decode()


def _hops(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The forwarded addresses, the nearest first."""
    said = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    return [hop.decode("latin-1").strip() for hop in reversed(said.rsplit(b",", MAX_HOPS)[-MAX_HOPS:])]


def _address(text: str) -> Address | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network(word: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(word)
    except ValueError:
        message = f"STACKWRIGHT_PROXIES: '{word}' is no address and no network: write 192.0.2.1 or 192.0.2.0/24"
        raise SetupError(message) from None
