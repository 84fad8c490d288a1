"""Files of a workspace brought into their canonical form, those alone of which everything stays true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from engine.session import Session

Found = Counter[tuple[str, str, str]]


def altered(session: Session, forms: Mapping[Path, str]) -> set[Path]:
    """The files of whose new `forms` a check would say something else than of what they are.

    The session has the texts that it had before.
    """
    refused = _refused(session, forms)
    kept = {path: text for path, text in forms.items() if path not in refused}
    return refused | set(kept) if refused and _refused(session, kept) else refused


def _refused(session: Session, forms: Mapping[Path, str]) -> set[Path]:
    before = _found(session)
    texts = {path: session.text(path) for path in forms}
    for path, text in forms.items():
        session.put(path, text)
    after = _found(session)
    for path, known in texts.items():
        session.put(path, known)
    names = {session.shown(path): path for path in forms}
    differing = {path for path, _, _ in (before - after) + (after - before)}
    return {names[path] for path in differing & names.keys()} if differing <= names.keys() else set(forms)


def _found(session: Session) -> Found:
    """What is wrong with the workspace, wherever in a file it is."""
    found = [*session.checked().problems, *session.judged()]
    return Counter((each.span.path, each.code, each.message) for each in found)
