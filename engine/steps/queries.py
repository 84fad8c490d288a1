"""The step that finds records. It runs once at load and gives the operation that runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from engine.clauses import Query
from engine.compile import Load
from engine.registry import (
    Addons,
    Choice,
    Columns,
    Evals,
    Flag,
    Group,
    Joins,
    Openings,
    Sort,
    Sortable,
    TableName,
    Where,
    step,
)


@step(reads=True, composes=True)
def query_all_records(
    load: Load,
    table: TableName,
    where: Where = None,
    sort: Sort = (),
    page: int | None = None,
    per_page: int | None = None,
    offset: int | None = None,
    after: str | None = None,
    totals: Flag = False,
    metadata: Flag = True,
    output: Columns = None,
    join: Joins = (),
    group: Group = (),
    eval: Evals = (),
    distinct: Flag = False,
    addon: Addons = (),
    lock: Flag = False,
    filterable: Openings = (),
    sortable: Sortable = None,
    return_: Annotated[Literal["list", "first", "count", "exists", "aggregate", "stream"], Choice] = "list",
) -> Any:
    """The records of a table that a condition matches, sorted, by id where nothing else is said.

    Null comes first where a column ascends, last where it descends. `output` names the columns to show; secret ones
    are read only where the stack uses them.

    A `where` compares columns with values and with each other (`== != < <= > >= in not in`), computes
    (`price * count`, `name | to_lower`, `tags | count`), reads into objects and JSON (`meta.size == 1`), and takes
    filters that are conditions: `contains`, `icontains`, `starts_with`, `ends_with`, `like`, `ilike`,
    `regex_matches`, `between`, `overlaps`, `is_null`, `is_empty`, and `search` over the columns of the table's index
    of type `search`. A null column makes a comparison false, and so does a value of another kind in JSON. With a `?`
    (`status ==? $input.status`, `name | contains?($input.q)`, `created_at | between?($from, $to)`) a condition is
    dropped where its right side is null.

    A list holds at most 10,000 records; more is a fault: page it. `page` (from 1), `per_page` (20, at most 1,000) and
    `offset` answer `{itemsReceived, curPage, nextPage, prevPage, offset, perPage, items}`, with `totals: true` also
    `itemsTotal` and `pageTotal`; `metadata: false` answers the bare list of the page. `after` pages by position, which
    takes as long for the last page as for the first: null is the first, each answer's `nextAfter` leads to the next. A
    position tells its reader what the last record is sorted by, and the answer is `{itemsReceived, perPage, nextAfter,
    items}`.

    `eval` computes what is shown beside the columns. `join` adds another table's columns to `where` and `eval` under
    a name (`type: left` keeps records without any); without `where:` the reference between the tables joins them.

    `addon` loads what belongs to each record, in one query for all: `author: user_id` is the record that a column
    refers to, null where there is none; `comments: comment.post_id` is the list of records that refer to this one.
    Written out it takes `table` or `by` (the column that refers), `on: {theirs: ours}`, `where`, `sort`, `output`,
    `limit` (for each record), `return: list | first | count | exists`, and `addon` again, three levels deep.

    `return` is `list`, `first` (null where there is none), `count`, `exists`, `stream` (records that one `for_each`
    takes as they come) or `aggregate`: then `eval` holds aggregates (`price | sum`; `count`, `sum`, `avg`, `min`,
    `max`, and `unique | count`), which leave null out, for each `group`, or for all as one object. A group is a column,
    or under a name what is computed of some: `group: {year: created_at | timestamp_year}`.

    `filterable` and `sortable` open exactly these columns to the request, in one query of an endpoint:
    `?filter[status]=open&filter[created_at.gte]=1700000000000&sort=-created_at,title`. A column is asked by its value,
    `.in` (several), and where it has an order by `.gte`, `.gt`, `.lte`, `.lt`; at most three columns are sorted by,
    instead of `sort`. The endpoint's inputs `filter` and `sort` are made of it, checked and published like any other.

    `lock: true` keeps what is read as it is until the stack's end: nobody else writes meanwhile.

    - query_all_records: user
      where: role == "member" and (name | icontains?($input.q))
      sort: {created_at: desc}
      page: $input.page
      output: [id, name]
      as: members
    """
    query = Query(
        table, where, sort, page, per_page, offset, after, totals, metadata,  # type: ignore[arg-type]  # as read
        output, join, group, eval, distinct, addon, lock, filterable, sortable, return_,
    )  # fmt: skip
    return load.storage.query(query, load.kinds, load.secrets)
