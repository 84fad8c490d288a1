"""Steps of authentication."""

from __future__ import annotations

from engine.errors import Fault
from engine.registry import AuthTable, Duration, step
from engine.run import Run
from engine.values import Secret, Stored, reveal


@step(hashes=True)
async def validate_password(run: Run, password: str | Secret, against: Secret | None) -> bool:
    """Whether `password` is the one whose hash is `against`; against null it does the same work and yields false.

    A hash of an outdated cost that matches is replaced by one of the present cost.

    - validate_password: $input.password
      against: $user.password
      as: pass_result
    """
    text, stored = reveal(password), reveal(against)
    if not isinstance(text, str):
        text = ""
    matches: bool = await run.verify(stored if isinstance(stored, str) else None, text)
    if matches and isinstance(against, Stored) and run.passwords.needs_rehash(stored):
        await _rehash(run, against, text)
    return matches


async def _rehash(run: Run, against: Stored, password: str) -> None:
    """Replaces an outdated hash; where the load is too high for that now, a later login will."""
    try:
        fresh = await run.hash(password)
        # A run that writes already goes on in its own transaction; a reading one must not become a writing one.
        if run.db.is_writing:
            await run.services.store.replace_secret(run, against, fresh)
        else:
            await _replace_alone(run.services.run(), against, fresh)
    except Fault as fault:
        if fault.name != "unavailable" or fault.reason == "repeatable":
            raise


async def _replace_alone(run: Run, against: Stored, fresh: str) -> None:
    try:
        await run.services.store.replace_secret(run, against, fresh)
        await run.db.commit()
    except BaseException:
        run.db.rollback()
        raise


@step
def create_token(
    run: Run, table: AuthTable, id: int | str, extras: dict[str, object] | None = None, expires_in: Duration = 86400
) -> str:
    """A token for a record of a table with `auth: true`. `extras` travel in it, encrypted; `expires_in: 0` is never.

    An endpoint with `auth:` reads them as `$auth.extras.role`. Each may be null there, since a token can be older than
    the stacks; one that no `create_token` of the workspace puts in, or not of that kind, isn't there.

    - create_token: user
      id: $user.id
      extras: {role: $user.role}
      expires_in: 24h
      as: token
    """
    token: str = run.tokens.create(table, id, extras, expires_in)
    return token
