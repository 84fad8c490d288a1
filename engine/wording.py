"""What messages call nodes, kinds and definitions, and the mends they offer."""

from __future__ import annotations

from collections.abc import Container, Mapping

from engine.errors import listed
from engine.registry import Definition
from engine.scope import key_of
from engine.syntax import Attribute, Column, Index, Literal, Node, Variable
from engine.unparse import unparse
from engine.values import Kind, contains_sealed, conversion, fits


def shown(node: Node) -> str:
    """A node within a mend."""
    return path_text(node) or "…"


def path_text(node: Node) -> str:
    """A variable, a column or a part of one as it is written; empty for all else."""
    match node:
        case Variable() | Column():
            return unparse(node)
        case Attribute(of) | Index(of, Literal()) if path_text(of):
            return unparse(node)
    return ""


def named(node: Node) -> str:
    """A node as the subject of a message."""
    written = path_text(node)
    return f"'{written}'" if written else "this"


def unknown_member(owner: Kind, node: Attribute) -> str:
    """The message about a name that its owner lacks."""
    if isinstance(node.of, Variable) and node.of.name in ("input", "env"):
        return f"unknown {'input' if node.of.name == 'input' else 'environment variable'} '{node.name}'"
    if unparse(node.of) in ("$auth.extras", "$auth?.extras"):
        return f"no create_token puts '{node.name}' into the extras of a token"
    return f"unknown {'column' if owner.is_record else 'field'} '{node.name}' of {owner}"


def lost_mask(given: Kind, declared: Kind) -> tuple[str, str]:
    """What becomes of a secret that is known as `declared` from here on, and how to declare it instead."""
    if contains_sealed(given):
        return "a password could be revealed" if declared.secret else "a password would lose its mask", "'password'"
    return "a secret would lose its mask", "'sensitive: true'"


def asked(kind: Kind) -> str:
    """A kind as a parameter asks for it: an int is a decimal too."""
    match kind.present():
        case Kind("decimal"):
            return "a number"
        case Kind("list", item=Kind("decimal")):
            return "a list of numbers"
        case Kind("union", options=options):
            return listed([asked(each) for each in options])
        case present:
            return present.label


def comparison(node: Node, kind: Kind) -> str:
    """A condition that asks what a value of this kind alone doesn't."""
    match kind.family:
        case "number":
            return f"{shown(node)} > 0"
        case "text":
            return f'{shown(node)} != ""'
        case "list":
            return f"({shown(node)} | count) > 0"
    return f"{shown(node)} != null"


def which(node: Node, kind: Kind, wanted: Kind) -> str:
    """How to rule out of `node`, which is one of several kinds, all but those that are `wanted`."""
    left = [each for each in kind.options if fits(each, wanted) and each.family in _TESTS]
    if not left:
        return ""
    test = "is_int" if left[0].name == wanted.name == "int" else _TESTS[left[0].family]
    if key_of(node) is None:
        return f"set a variable to it, and ask before which it is: … | {test}"
    return f"ask before which it is, as in '{shown(node)} | {test}'"


def mend(node: Node | None, kind: Kind, wanted: Kind) -> str:
    """The hint on how a value of one kind becomes one that is `wanted`; `node` is what spells it, if anything."""
    return (which(node, kind, wanted) if node is not None else "") or conversion(kind, wanted.choices[0])


_TESTS: Mapping[str, str] = {
    "number": "is_number", "text": "is_text", "bool": "is_bool", "list": "is_list", "object": "is_object",
}  # fmt: skip


def null_mend(node: Node, parameters: Container[str]) -> str:
    """How null is ruled out of `node`; `parameters` are those of the lambdas around."""
    written, key = shown(node), key_of(node)
    if isinstance(node, Literal):
        return "write a value"
    if key is None:
        return f"give a default: '{written} ?? …', or set a variable to it and rule null out of that"
    if key.split(".")[0] in parameters:
        return f"give a default: '{written} ?? …', or leave null out before with | filter(…)"
    return f"rule null out before: '- precondition: {written} != null', or give a default: '{written} ?? …'"


def counted(number: int) -> str:
    """`no arguments`, `1 argument`, `2 arguments`."""
    return f"{number or 'no'} argument" + ("" if number == 1 else "s")


def usage(definition: Definition) -> str:
    """How a filter or function is written."""
    names = [parameter.name if parameter.required else f"{parameter.name}?" for parameter in definition.parameters]
    if definition.family == "filter":
        return f"… | {definition.name}" + (f"({', '.join(names[1:])})" if len(names) > 1 else "")
    return f"{definition.name}({', '.join(names)})"


# What other languages call it.
ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("length", "len", "size"), "write … | count for a list or an object, … | strlen for a text"),
    **dict.fromkeys(("uppercase", "touppercase", "upcase", "strtoupper"), "write … | to_upper"),
    **dict.fromkeys(("lowercase", "tolowercase", "downcase", "strtolower"), "write … | to_lower"),
    **dict.fromkeys(("strip", "trimstart", "trimend"), "write … | trim, | ltrim or | rtrim"),
    **dict.fromkeys(("includes", "in_array", "str_contains"), "write … | contains(…)"),
    **dict.fromkeys(("int", "intval", "parseint"), "write … | to_int"),
    **dict.fromkeys(("float", "decimal", "number", "parsefloat"), "write … | to_decimal"),
    **dict.fromkeys(("str", "string", "text", "tostring"), "write … | to_text"),
    **dict.fromkeys(("bool", "boolean"), "write … | to_bool"),
    **dict.fromkeys(("substring", "substr"), "write … | substr(start, length)"),
    **dict.fromkeys(("date", "strftime", "format_date"), "write … | format_timestamp(…)"),
    **dict.fromkeys(("json", "stringify", "to_json", "tojson"), "write … | json_encode"),
    **dict.fromkeys(("parse_json", "from_json", "fromjson"), "write … | json_decode"),
    **dict.fromkeys(("group_by", "groupby", "key_by"), "write … | index_by(…)"),
    **dict.fromkeys(("order_by", "sort_by", "sorted", "orderby"), "write … | sort(…)"),
    **dict.fromkeys(("where", "select", "reject"), "write … | filter($item => …)"),
    **dict.fromkeys(("any", "exists"), "write … | some($item => …)"),
    **dict.fromkeys(("default", "coalesce", "ifnull", "nvl"), "write … ?? …"),
    **dict.fromkeys(("average", "mean"), "write … | avg"),
    **dict.fromkeys(("add", "append"), "write … | push(…) for a list, + for numbers"),
    "all": "write … | every($item => …)",
    "implode": "write … | join(…)",
    "explode": "write … | split(…)",
    "uniq": "write … | unique",
    "distinct": "write … | unique",
}
GIVEN_HINTS = {
    "auth": "only an endpoint with 'auth:' has it",
    "index": "only a for_each gives it; a repeat counts in its 'as:'",
    "error": "only a catch block gives it",
    "input": "declare it under 'input:'",
}
