"""The database of a study, which several processes and machines write to at once."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from rnnapps.extras import from_extra

if TYPE_CHECKING:
    import optuna

HEARTBEAT, DEAD_AFTER = 10, 60  # seconds: how often a process reports that its trial is alive, and when others retry it
_LOCKED_FOR = 60  # seconds that a process waits for other processes' transactions


def shared_database(url: str) -> optuna.storages.RDBStorage:
    """Opens a database of studies whose trials are retried when their process dies.

    Args:
        url: Database URL as SQLAlchemy takes it, such as `"sqlite:///study.db"`.

    Returns:
        The storage for `optuna.create_study`.
    """
    optuna = from_extra("optuna", extra="tune", purpose="tune")
    sqlite = url.startswith("sqlite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls the heartbeat experimental
        database = optuna.storages.RDBStorage(
            url,
            engine_kwargs={"connect_args": {"timeout": _LOCKED_FOR}} if sqlite else None,
            heartbeat_interval=HEARTBEAT,
            grace_period=DEAD_AFTER,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
        )
    if sqlite:
        _lock_from_the_first_read(database.engine)
    return database


def _lock_from_the_first_read(engine: Any) -> None:
    """Makes every transaction take SQLite's write lock at its start.

    Optuna locks the row of a waiting trial with `SELECT ... FOR UPDATE` before it takes the trial. SQLite ignores that
    clause, so two processes could read "waiting" and both take the trial. The two listeners are SQLAlchemy's own recipe
    (its SQLite dialect, "Serializable isolation / Savepoints / Transactional DDL").
    """
    import sqlalchemy

    @sqlalchemy.event.listens_for(engine, "connect")
    def leave_transactions_to_sqlalchemy(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections that were opened before the listeners
