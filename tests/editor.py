"""A scripted editor: `stackwright lsp` as a process of its own, spoken to over its standard input and output."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.commands import ENGINE, PATIENCE, environment

CURSOR = "¦"


class Editor:
    """One that has opened `folder`. A text with a `¦` in it says where the cursor is."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process, self.folder = process, folder
        self._last = 0
        self._opened: set[str] = set()
        self.told: dict[str, list[dict[str, Any]]] = {}
        self.published = 0

    # The protocol.

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            length = int(line.split(b":")[1]) if line.startswith(b"Content-Length") else length
        assert length, f"the server ended with {self._process.wait(PATIENCE)}"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message

    def receive(self) -> dict[str, Any]:
        """The next message of the server, which is ended where it says nothing."""
        impatient = threading.Timer(PATIENCE, self._process.kill)
        impatient.start()
        try:
            message = self._read()
        finally:
            impatient.cancel()
        if message.get("method") == "textDocument/publishDiagnostics":
            path = Path(message["params"]["uri"].removeprefix("file://"))
            self.told[path.relative_to(self.folder).as_posix()] = message["params"]["diagnostics"]
            self.published += 1
        elif "method" in message and "id" in message:  # what the server asks of us
            self._send({"id": message["id"], "result": None})
        return message

    def notify(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """The result of a request, or its error."""
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == self._last and "method" not in message:
                return message.get("error") or message["result"]

    # What an editor does.

    def start(self, **capabilities: Any) -> Any:
        folders = [{"uri": self.folder.as_uri(), "name": "folder"}]
        known = {"processId": None, "rootUri": None, "workspaceFolders": folders, "capabilities": capabilities}
        answer = self.ask("initialize", known)
        self.notify("initialized", {})
        return answer["capabilities"]

    def stop(self) -> int:
        self.ask("shutdown", {})
        self.notify("exit", {})
        return self._process.wait(PATIENCE)

    def _document(self, name: str) -> dict[str, Any]:
        return {"uri": (self.folder / name).as_uri()}

    def open(self, name: str, text: str) -> list[str]:
        """Opens a file; what is wrong with it."""
        self._opened.add(name)
        document = {**self._document(name), "languageId": "yaml", "version": 1, "text": text.replace(CURSOR, "")}
        return self._then(name, lambda: self.notify("textDocument/didOpen", {"textDocument": document}))

    def change(self, name: str, text: str) -> list[str]:
        """Has another text in a file, which is opened if it isn't; what is wrong with it now."""
        if name not in self._opened:
            return self.open(name, text)
        document, changes = {**self._document(name), "version": 2}, [{"text": text.replace(CURSOR, "")}]
        params = {"textDocument": document, "contentChanges": changes}
        return self._then(name, lambda: self.notify("textDocument/didChange", params))

    def close(self, name: str) -> None:
        self._opened.discard(name)
        self.notify("textDocument/didClose", {"textDocument": self._document(name)})

    def _then(self, name: str, act: Any) -> list[str]:
        self.told.pop(name, None)
        act()
        while name not in self.told:
            self.receive()
        return [each["message"].partition("\n")[0] for each in self.told[name]]

    def wait(self, name: str, message: str) -> None:
        """Waits until the first thing that is wrong with a file is this, or nothing where it is empty."""
        while (self.told.get(name) or [{"message": ""}])[0]["message"].partition("\n")[0] != message:
            self.receive()

    def at(self, name: str, text: str, method: str, **more: Any) -> Any:
        """The answer to a request about the place of the cursor in a file that has this text."""
        self.change(name, text)
        line, before = list(enumerate(text.split(CURSOR)[0].split("\n")))[-1]
        position = {"line": line, "character": len(before.encode("utf-16-le")) // 2}
        params = {"textDocument": self._document(name), "position": position, **more}
        return self.ask(f"textDocument/{method}", params)

    def labels(self, name: str, text: str) -> dict[str, str]:
        """What is suggested at the cursor, in order, with its detail."""
        items = self.at(name, text, "completion")
        return {each["label"]: each.get("detail", "") for each in sorted(items, key=lambda each: each["sortText"])}

    def completed(self, name: str, text: str, label: str) -> str:
        """The text after the suggestion of this label was taken."""
        items = self.at(name, text, "completion")
        return applied(text.replace(CURSOR, ""), [next(each for each in items if each["label"] == label)["textEdit"]])

    def formatted(self, name: str) -> Any:
        options = {"tabSize": 2, "insertSpaces": True}
        return self.ask("textDocument/formatting", {"textDocument": self._document(name), "options": options})

    def actions(self, name: str) -> Any:
        """The quick fixes of the first thing that is wrong with a file."""
        first = self.told[name][0]
        params = {"textDocument": self._document(name), "range": first["range"], "context": {"diagnostics": [first]}}
        return self.ask("textDocument/codeAction", params)


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """The text after edits, whose positions count UTF-16 units."""
    lines = text.split("\n")

    def offset(position: dict[str, int]) -> int:
        units = lines[position["line"]].encode("utf-16-le")[: 2 * position["character"]]
        return sum(len(line) + 1 for line in lines[: position["line"]]) + len(units.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda each: offset(each["range"]["start"]), reverse=True):
        text = text[: offset(edit["range"]["start"])] + edit["newText"] + text[offset(edit["range"]["end"]) :]
    return text


def named(answer: Any) -> str:
    """What a hover says, without the marks of Markdown."""
    return re.sub(r"[*`]", "", answer["contents"]["value"])


@contextmanager
def editor(folder: Path) -> Iterator[Editor]:
    """An editor that has opened a folder and ends at the end."""
    process = subprocess.Popen(
        [*ENGINE, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment()
    )
    try:
        yield Editor(process, folder)
    finally:
        process.kill()
        process.wait(PATIENCE)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
