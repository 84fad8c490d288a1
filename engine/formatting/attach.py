"""Which item a comment or an empty line belongs to, so that it goes where the item goes."""

from __future__ import annotations

from bisect import bisect_left

from engine.formatting.comments import Comment, Comments
from engine.formatting.items import Item


def attach(comments: Comments, entries: list[Item]) -> None:
    """Hands each comment and each empty line to one of `entries`, the items that stand on lines of their own."""
    _Attachment(comments, entries).run()


class _Attachment:
    def __init__(self, comments: Comments, entries: list[Item]) -> None:
        placed = sorted(((comments.start_of(entry), entry) for entry in entries), key=lambda each: each[0])
        self._comments = comments
        self._starts = [start for start, _ in placed]
        self._entries = [entry for _, entry in placed]
        self._columns = {entry.path: comments.column(start) for start, entry in placed}
        self._by_path = {entry.path: entry for entry in entries}

    def run(self) -> None:
        for comment in self._comments.found:
            at = bisect_left(self._starts, comment.start)
            last = self._entries[at - 1] if at else None
            following = self._entries[at] if at < len(self._entries) else None
            self._hand(comment, last, following)
        for start, entry in zip(self._starts, self._entries, strict=True):
            entry.remarks.before += self._comments.gap(start)

    def _hand(self, comment: Comment, last: Item | None, following: Item | None) -> None:
        """Gives a comment between two entries to one of them, or to one that ends there."""
        if last is not None and not comment.is_alone:
            remarks = last.remarks
            remarks.before += [remarks.behind] if remarks.behind else []
            remarks.behind, remarks.column = comment.text, comment.column
            return
        ending = self._ending(comment, last, following)
        lines = ending.remarks.after if ending is not None else following.remarks.before if following else []
        lines += [*self._comments.gap(comment.start), comment.text]

    def _ending(self, comment: Comment, last: Item | None, following: Item | None) -> Item | None:
        """The entry, `last` or one around it, that a comment is the end of, as its column says; None for none."""
        if last is None:
            return None
        ahead = following.path if following is not None else ()
        if ahead and (comment.column <= self._columns[ahead] or ahead[: len(last.path)] == last.path):
            return None
        around = (self._by_path.get(last.path[:length]) for length in range(len(last.path), 0, -1))
        ended = [each for each in around if each is not None and ahead[: len(each.path)] != each.path]
        return next(
            (each for each in ended if self._columns[each.path] <= comment.column), ended[-1] if ended else None
        )
