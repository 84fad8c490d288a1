"""The OpenAPI 3.1 document of some of a workspace's groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from engine.check import Checked
from engine.errors import Fault
from engine.openapi.answers import HEADER_COMPONENTS, SCHEMAS, Answers, error_schemas, shared_responses
from engine.openapi.examples import MAX_EXAMPLES, Sample, masked, samples
from engine.openapi.inputs import FORM, JSON, MULTIPART, bodies, body_fields, encodings, parameters
from engine.openapi.names import PARAMETER, operation_ids, pascal, slug, unique
from engine.openapi.outcomes import Outcomes
from engine.openapi.schemas import Schema, kind_schema
from engine.shapes import Shape
from engine.values import Kind
from engine.workspace import Endpoint, Group, Table, TestFile, Workspace

_BEARER = "A token for a record of '{name}', as create_token makes them, sent as `Authorization: Bearer …`."

_SUFFIXES: Mapping[str, str] = {JSON: "Input", FORM: "Form", MULTIPART: "Multipart"}


class Documents:
    """Makes documents of a checked workspace; what they share is found out once."""

    def __init__(self, checked: Checked, tests: Iterable[TestFile] = ()) -> None:
        """`tests` are where the examples come from."""
        self._checked, self._workspace = checked, checked.workspace
        self._closed = checked.workspace.unknown_input == "refuse"
        self._outcomes = Outcomes(checked)
        self._samples = samples(checked.workspace, tests)
        self._ids = operation_ids(checked.workspace.endpoints)
        self._names = _Names(checked.workspace, self._ids)

    def whole(self, canonicals: Collection[str], server: str = "/") -> Schema:
        """The document of the groups with these canonicals, whose paths begin with `/api:…`."""
        chosen = [each for each in self._workspace.endpoints if each.group.canonical in canonicals]
        paths = {each: f"/api:{each.group.canonical}{each.path}" for each in chosen}
        return self._document(self._workspace.name, self._workspace.group.description, server, paths)

    def of_group(self, canonical: str, server: str = "/") -> Schema:
        """The document of one group, whose paths begin where the group does."""
        chosen = [each for each in self._workspace.endpoints if each.group.canonical == canonical]
        group = next(each for each in self._workspace.every_group if each.canonical == canonical)
        url = f"{server.rstrip('/')}/api:{canonical}"
        paths = {each: each.path for each in chosen}
        return self._document(group.name or self._workspace.name, group.description, url, paths)

    def _document(self, title: str, description: str, server: str, chosen: Mapping[Endpoint, str]) -> Schema:
        paths: Schema = {}
        first: dict[str, str] = {}
        for endpoint, path in chosen.items():
            # Paths that differ in nothing but the names of their parameters are one.
            shared = first.setdefault(PARAMETER.sub("{}", path), path)
            names = dict(zip(endpoint.parameters, PARAMETER.findall(shared), strict=True))
            paths.setdefault(shared, {})[endpoint.method.lower()] = self._operation(endpoint, names)
        info = {"title": title, "version": self._workspace.version}
        return {
            "openapi": "3.1.0",
            "info": info | ({"description": description} if description else {}),
            "servers": [{"url": server}],
            "tags": list(self._tags(chosen)),
            "paths": paths,
            "components": self._components(paths, chosen),
        }

    def _tags(self, endpoints: Iterable[Endpoint]) -> Iterator[Schema]:
        groups = dict.fromkeys(each.group for each in endpoints if not each.tags)
        descriptions = {self._tag(each): each.description for each in groups}
        names = dict.fromkeys(tag for each in endpoints for tag in self._tags_of(each))
        for name in names:
            yield {"name": name, **({"description": descriptions[name]} if descriptions.get(name) else {})}

    def _tag(self, group: Group) -> str:
        return group.name or self._workspace.name

    def _tags_of(self, endpoint: Endpoint) -> list[str]:
        return list(endpoint.tags) or [self._tag(endpoint.group)]

    def _operation(self, endpoint: Endpoint, names: Mapping[str, str]) -> Schema:
        """The operation of an endpoint; `names` are what the parameters of its path are called there."""
        given = parameters(endpoint, closed=self._closed)
        examples = list(self._inputs(endpoint))
        for parameter in given:
            _exemplify(parameter, examples)
            if parameter["in"] == "path":
                parameter["name"] = names[parameter["name"]]
        body = self._body(endpoint, examples)
        return {
            "operationId": self._ids[endpoint],
            "summary": _summary(endpoint),
            **({"description": endpoint.description} if endpoint.description else {}),
            "tags": self._tags_of(endpoint),
            "security": [{endpoint.auth: []}] if endpoint.auth else [],
            **({"parameters": given} if given else {}),
            **({"requestBody": body} if body else {}),
            "responses": self._answers(endpoint).responses(),
        }

    def _answers(self, endpoint: Endpoint) -> Answers:
        result = self._checked.endpoints[endpoint].result
        taken = self._samples.get(endpoint, [])
        return Answers(endpoint, result, self._outcomes.endpoint(endpoint), taken, self._names.reference)

    def _body(self, endpoint: Endpoint, examples: Iterable[Sample]) -> Schema | None:
        fields = body_fields(endpoint)
        if not fields:
            return None
        schemas = bodies(fields, closed=self._closed)
        content: Schema = {}
        for media, schema in schemas.items():
            content[media] = {"schema": {"$ref": SCHEMAS + self._names.of_body(endpoint, media, schema)}}
        nested = encodings(fields)
        if nested and MULTIPART in content:
            content[MULTIPART]["encoding"] = nested
        names, shown = {each.name for each in fields}, _shown(examples)
        if shown and JSON in content:
            content[JSON]["examples"] = {
                key: {**each, "value": {name: value for name, value in each["value"].items() if name in names}}
                for key, each in shown.items()
            }
        return {"required": any(each.required for each in fields), "content": content}

    def _inputs(self, endpoint: Endpoint) -> Iterator[Sample]:
        """What tests send that is taken, without its secrets."""
        shape = Shape(endpoint.input, closed=self._closed)
        for sample in self._samples.get(endpoint, []):
            if sample.status < 300 and isinstance(sample.input, dict) and sample.input:
                given = _taken(shape, masked(endpoint.input, sample.input))
                if given is not None:
                    yield Sample(sample.name, given, sample.status, sample.response)

    def _components(self, paths: Schema, endpoints: Iterable[Endpoint]) -> Schema:
        """The components that the paths refer to, directly or through others."""
        known: dict[str, dict[str, Schema]] = {
            "schemas": {**self._names.schemas(), **error_schemas()},
            "responses": shared_responses(),
            "headers": {name: dict(each) for name, each in HEADER_COMPONENTS.items()},
        }
        used = _used(paths, known)
        found: Schema = {
            sort: {name: each for name, each in entries.items() if (sort, name) in used}
            for sort, entries in known.items()
        }
        tables = dict.fromkeys(each.auth for each in endpoints if each.auth)
        found["securitySchemes"] = {
            name: {"type": "http", "scheme": "bearer", "description": _BEARER.format(name=name)} for name in tables
        }
        return {sort: entries for sort, entries in found.items() if entries}


class _Names:
    """The names of the components that are a workspace's own: records of tables, and bodies of requests."""

    def __init__(self, workspace: Workspace, ids: Mapping[Endpoint, str]) -> None:
        self._tables, self._ids = workspace.tables, ids
        self._taken = set(error_schemas())
        self._records = {name: unique(pascal(name), self._taken) for name in workspace.tables}
        self._bodies: dict[str, Schema] = {}
        self._given: dict[Endpoint, dict[str, str]] = {}

    def reference(self, kind: Kind) -> Schema | None:
        """A `$ref` for whole records of a table."""
        table = self._tables.get(kind.table) if kind.is_record else None
        if table is None or (kind.fields, kind.optional) != (table.kind.fields, table.kind.optional):
            return None
        return {"$ref": SCHEMAS + self._records[table.name]}

    def of_body(self, endpoint: Endpoint, media: str, schema: Schema) -> str:
        """The component of a request's body: one for all media types whose bodies are the same."""
        given = self._given.setdefault(endpoint, {})
        same = next((name for name in given.values() if self._bodies[name] == schema), None)
        if media not in given:
            suffix = _SUFFIXES[media] if given else "Input"
            given[media] = same or unique(pascal(self._ids[endpoint]) + suffix, self._taken)
            self._bodies[given[media]] = schema
        return given[media]

    def schemas(self) -> dict[str, Schema]:
        return {**{self._records[name]: _record(table) for name, table in self._tables.items()}, **self._bodies}


def _record(table: Table) -> Schema:
    """The schema of a table's record as it leaves: without what is secret or private."""
    schema = kind_schema(table.kind)
    for name, part in schema["properties"].items():
        column = table.columns[name]
        if column.description or column.table:
            part["description"] = column.description or f"The id of a record of '{column.table}'."
    return schema | ({"description": table.description} if table.description else {})


def _summary(endpoint: Endpoint) -> str:
    """The first sentence of the description, else the endpoint's name."""
    first = endpoint.description.strip().partition("\n")[0].partition(". ")[0]
    return first.removesuffix(".") or endpoint.name


def _taken(shape: Shape, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is given, its texts as they are when they are trimmed and so on; None where it is refused."""
    try:
        bound = shape.bind(deepcopy(dict(given)))
    except Fault:
        return None
    return {name: bound[name] if type(bound[name]) is str else value for name, value in given.items()}


def _shown(examples: Iterable[Sample]) -> Schema:
    taken: set[str] = set()
    chosen = list(examples)[:MAX_EXAMPLES]
    return {slug(each.name, taken): {"summary": each.name, "value": each.input} for each in chosen}


def _exemplify(parameter: Schema, examples: Iterable[Sample]) -> None:
    """Gives a parameter the first value that a test sends."""
    for each in examples:
        if each.input.get(parameter["name"]) is not None:
            place = parameter["content"][JSON] if "content" in parameter else parameter
            place["example"] = each.input[parameter["name"]]
            return


def _used(paths: Schema, known: Mapping[str, Mapping[str, Schema]]) -> set[tuple[str, str]]:
    """The components, as sort and name, that the paths lead to."""
    found: set[tuple[str, str]] = set()
    waiting: list[Any] = [paths]
    while waiting:
        for reference in _references(waiting.pop()):
            sort, _, name = reference.removeprefix("#/components/").partition("/")
            if (sort, name) not in found and name in known.get(sort, {}):
                found.add((sort, name))
                waiting.append(known[sort][name])
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
