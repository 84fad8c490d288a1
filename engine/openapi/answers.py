"""What an endpoint answers: its response, and every error in its envelope, by status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from engine.compile import MESSAGES
from engine.errors import FAULTS
from engine.openapi.examples import MAX_EXAMPLES, Sample, completed
from engine.openapi.names import pascal, slug
from engine.openapi.outcomes import INPUT_PAYLOAD, Outcome
from engine.openapi.schemas import Reference, Schema, kind_schema, unnamed
from engine.security.tokens import BAD_TOKEN, NO_TOKEN
from engine.values import Kind
from engine.workspace import Endpoint

SCHEMAS, RESPONSES, HEADERS = "#/components/schemas/", "#/components/responses/", "#/components/headers/"
JSON = "application/json"
STATUSES: Mapping[str, tuple[str, str]] = {name: (str(status), code) for name, (status, code) in FAULTS.items()}

_EMPTY: Schema = {"type": "string", "const": ""}
# What the server itself may answer to any request, to one with a body, and to one that needs a token.
_ALWAYS = (
    Outcome("input_error", payload=INPUT_PAYLOAD, example=...),
    Outcome("bad_request"),
    Outcome("fatal", "Something went wrong. The log has the cause under …."),
    Outcome("unavailable"),
)
_WITH_BODY = (Outcome("payload_too_large"), Outcome("unsupported_media_type"))
_WITH_TOKEN = (Outcome("unauthorized", NO_TOKEN), Outcome("unauthorized", BAD_TOKEN))

HEADER_COMPONENTS: Mapping[str, Schema] = {
    "X-Request-Id": {"description": "What the log knows the request by.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
}
_BY_STATUS: Mapping[str, str] = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
# The server's own responses that are the same for many endpoints, by the names of their components.
_SHARED: Mapping[str, str] = {
    "400": "BadRequest", "401": "Unauthorized", "413": "PayloadTooLarge", "415": "UnsupportedMediaType",
    "500": "Fatal", "503": "Unavailable",
}  # fmt: skip
# What an error means where no message is known before it happens.
_MEANINGS: Mapping[str, str] = {
    "input_error": "An input is missing, not known, or not as it must be.",
    "bad_request": "The request can't be read.",
    "conflict": "Another record has this value already.",
    "payload_too_large": "The body is too large.",
    "unsupported_media_type": "The body is of a type that isn't read here.",
    "unavailable": "Too much is going on. Try again after the seconds that Retry-After says.",
}


def own_outcomes(endpoint: Endpoint) -> tuple[Outcome, ...]:
    """What the server may answer in place of the stack."""
    reads_body = endpoint.method not in ("GET", "HEAD")
    return (*(_WITH_TOKEN if endpoint.auth else ()), *_ALWAYS, *(_WITH_BODY if reads_body else ()))


def component(error: str) -> str:
    """The name of the schema of an error's envelope: `InputError`, `AccessDeniedError`."""
    return pascal(error.removesuffix("_error")) + "Error"


def envelope(error: str, payload: Schema) -> Schema:
    """The schema of an error's envelope."""
    return {
        "type": "object",
        "properties": {
            "code": {"type": "string", "const": STATUSES[error][1]},
            "message": {"type": "string"},
            "payload": payload,
        },
        "required": ["code", "message", "payload"],
    }


def error_schemas() -> dict[str, Schema]:
    """The envelopes with the payload that is usual for each error, by the names of their components."""
    return {component(error): envelope(error, _usual(error)) for error in FAULTS}


def _usual(error: str) -> Schema:
    return kind_schema(INPUT_PAYLOAD) if error == "input_error" else _EMPTY


def shared_responses() -> dict[str, Schema]:
    """The responses that are the server's own, by the names of their components."""
    outcomes = (*_ALWAYS, *_WITH_BODY, *_WITH_TOKEN)
    grouped = _by_status(outcomes)
    return {_SHARED[status]: error_response(status, each, ()) for status, each in grouped.items()}


def _by_status(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for each in outcomes:
        found.setdefault(STATUSES[each.error][0], []).append(each)
    return found


@dataclass(frozen=True, slots=True)
class Answers:
    """Makes the responses of an endpoint from the kind of its result and the errors of its stack."""

    endpoint: Endpoint
    result: Kind
    outcomes: tuple[Outcome, ...]
    samples: Sequence[Sample]
    reference: Reference

    def responses(self) -> dict[str, Schema]:
        own = _by_status(own_outcomes(self.endpoint))
        every = _by_status((*own_outcomes(self.endpoint), *self.outcomes))
        made = {"200": self._success()}
        for status in sorted(every):
            told = list(islice(self._told(status, every[status]), MAX_EXAMPLES))
            is_shared = every[status] == own.get(status) and not told
            made[status] = (
                {"$ref": RESPONSES + _SHARED[status]}
                if is_shared
                else error_response(status, every[status], told, self.reference)
            )
        return {status: _bare(each) for status, each in made.items()} if self.endpoint.method == "HEAD" else made

    def _success(self) -> Schema:
        schema = kind_schema(self.result, self.reference)
        media: Schema = {"schema": schema}
        examples = self._examples()
        if examples:
            media["examples"] = examples
        return {"description": "OK", "headers": _headers("200"), "content": {JSON: media}}

    def _examples(self) -> Schema:
        plain, taken = kind_schema(self.result), set[str]()
        found: Schema = {}
        for sample in self.samples:
            if sample.status < 300 and sample.response is not ... and len(found) < MAX_EXAMPLES:
                value = completed(self.result, sample.response)
                if _fits(plain, value):
                    found[slug(sample.name, taken)] = {"summary": sample.name, "value": value}
        return found

    def _told(self, status: str, outcomes: Sequence[Outcome]) -> Iterable[tuple[str, Any]]:
        """The errors that tests expect, as names and envelopes; those that the stack tells of itself are left out.

        So are fatal ones, which clients are told nothing of, and those whose payload a test leaves open.
        """
        schemas = {STATUSES[error][1]: _written_out(error, outcomes) for error in _errors(outcomes) if error != "fatal"}
        known = {each.message for each in outcomes}
        for sample in self.samples:
            expected = sample.response
            if str(sample.status) == status and isinstance(expected, dict) and expected.get("code") in schemas:
                message = expected.get("message")
                if isinstance(message, str) and message not in known:
                    whole = _whole(expected)
                    if _fits(schemas[expected["code"]], whole):
                        known.add(message)
                        yield sample.name, whole


def _fits(schema: Schema, value: Any) -> bool:
    """Whether a value is an example of a schema: what stands for a secret is no uuid and no date."""
    return jsonschema_rs.is_valid(schema, value, validate_formats=True)


def _whole(expected: Mapping[str, Any]) -> Schema:
    """An error's envelope with what a test leaves out of it."""
    payload = expected.get("payload", "")
    if isinstance(payload, dict) and "param" in payload and expected["code"] == STATUSES["input_error"][1]:
        payload = {"errors": [{"param": payload["param"], "message": expected["message"]}], **payload}
    return {"code": expected["code"], "message": expected["message"], "payload": payload}


def _bare(response: Schema) -> Schema:
    """A response to HEAD: everything but what is in it."""
    if "$ref" in response:
        response = shared_responses()[response["$ref"].removeprefix(RESPONSES)]
    return {name: value for name, value in response.items() if name != "content"}


def _headers(status: str) -> Schema:
    names = ["X-Request-Id", *([_BY_STATUS[status]] if status in _BY_STATUS else [])]
    return {name: {"$ref": HEADERS + name} for name in names}


def error_response(
    status: str,
    outcomes: Sequence[Outcome],
    told: Iterable[tuple[str, Any]],
    reference: Reference = unnamed,
) -> Schema:
    """The response of a status that one or several errors share."""
    schemas = [_envelope_of(error, outcomes, reference) for error in _errors(outcomes)]
    media: Schema = {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}
    taken: set[str] = set()
    known = [(each.message, _example(each)) for each in outcomes if each.message and each.example is not ...]
    examples = {slug(name, taken): {"summary": name, "value": value} for name, value in (*known, *told)}
    if examples:
        media["examples"] = examples
    return {"description": _description(outcomes), "headers": _headers(status), "content": {JSON: media}}


def _example(outcome: Outcome) -> Schema:
    return {"code": STATUSES[outcome.error][1], "message": outcome.message, "payload": outcome.example}


def _description(outcomes: Iterable[Outcome]) -> str:
    said = list(dict.fromkeys(each.message or _MEANINGS.get(each.error, MESSAGES[each.error]) for each in outcomes))
    return said[0] if len(said) == 1 else "\n".join(f"- {each}" for each in said)


def _errors(outcomes: Iterable[Outcome]) -> list[str]:
    """The names of errors, each once."""
    return list(dict.fromkeys(each.error for each in outcomes))


def _envelope_of(error: str, outcomes: Iterable[Outcome], reference: Reference) -> Schema:
    """The envelope of an error: its component, or written out where a payload is more than usual."""
    schema = _written_out(error, outcomes, reference)
    return {"$ref": SCHEMAS + component(error)} if schema == envelope(error, _usual(error)) else schema


def _written_out(error: str, outcomes: Iterable[Outcome], reference: Reference = unnamed) -> Schema:
    """The envelope of an error with all payloads that it may have."""
    payloads: list[Schema] = []
    for each in outcomes:
        if each.error == error:
            schema = _EMPTY if each.payload is None else kind_schema(each.payload, reference)
            payloads += [] if schema in payloads else [schema]
    return envelope(error, payloads[0] if len(payloads) == 1 else {"anyOf": payloads})
