"""Filters of secrets: fingerprints of texts, and the one way to make a secret an ordinary value."""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeVar, cast

from engine import registry, values
from engine.bounds import bare
from engine.errors import value_fault
from engine.values import Secret

T = TypeVar("T")


@registry.filter(digests=True, charges=True)
def sha256(text: str) -> str:
    """The SHA-256 (FIPS 180-4) of a text's UTF-8 bytes, in lower-case hexadecimal. Never for passwords: it is too fast.

    "some_message" | sha256  => "6cc869f10009fa1c39e74df11ab7479d3209acae7e890bb4bf58270b855b6e4c"
    "" | sha256              => "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    """
    return hashlib.sha256(text.encode()).hexdigest()


@registry.filter(digests=True, refuses={"key": "empty"}, charges=True)
def hmac_sha256(text: str, key: str | Secret) -> str:
    """The HMAC-SHA-256 (RFC 2104) of a text under a key, in lower-case hexadecimal. An empty key is a fault.

    Under a secret key the result counts as secret too: `| reveal` makes it one that can be answered.

    "some_message" | hmac_sha256("MY_SECRET_KEY")  => "3e18fc78d5326e5d0ec11c178ad3977160074bc149c55a2bc6a272570aad2348"
    "some_message" | hmac_sha256("")               => fault value
    """
    secret = str(values.reveal(key))
    if not secret:
        raise value_fault("'hmac_sha256' needs a key; this one is empty", "Input is empty.")
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@registry.filter(declassifies=True)
def reveal(value: T) -> T:
    """A sensitive value as an ordinary one, with all that is in it, to be logged, stored and answered from here on.

    Not for passwords, nor for texts made of them.

    "4111" | reveal       => "4111"
    7 | reveal            => 7
    {pin: "1"} | reveal   => {pin: "1"}
    """
    return cast(T, bare(value))
