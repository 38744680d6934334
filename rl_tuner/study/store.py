"""The ratings in a database: what was acknowledged is on the disk."""

from __future__ import annotations

import contextlib
import datetime
import enum
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sql

from rl_tuner.common.errors import UserError, first_line
from rl_tuner.study.design import Comparison
from rl_tuner.study.group_commit import GroupCommit

_TOKEN_BYTES = 16
_TABLES = sql.MetaData()
_RATERS = sql.Table(
    "raters",
    _TABLES,
    sql.Column("id", sql.Integer, primary_key=True),
    # Whoever reads the database cannot answer for a rater.
    sql.Column("link_hash", sql.String(64), nullable=False, unique=True),
    # Place among those who agreed; decides the schedule.
    sql.Column("number", sql.Integer, unique=True),
    sql.Column("agreed_at", sql.String(32)),
)
_COMPARISONS = sql.Table(
    "comparisons",
    _TABLES,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("rater_id", sql.ForeignKey("raters.id"), nullable=False, index=True),
    sql.Column("position", sql.Integer, nullable=False),
    sql.Column("first", sql.String(32), nullable=False),
    sql.Column("second", sql.String(32), nullable=False),
    sql.Column("is_check", sql.Boolean, nullable=False),
    sql.Column("nonce", sql.String(32), nullable=False, unique=True),
    sql.Column("first_asset", sql.String(32), nullable=False, unique=True),
    sql.Column("second_asset", sql.String(32), nullable=False, unique=True),
    sql.Column("rating", sql.Integer),
    sql.Column("rated_at", sql.String(32)),
    sql.UniqueConstraint("rater_id", "position"),
    sql.CheckConstraint("rating between 1 and 5"),
)
_FACTS = sql.Table(
    "facts",
    _TABLES,
    sql.Column("name", sql.String(32), primary_key=True),
    sql.Column("value", sql.String(64), nullable=False),
)
_STUDY, _CLOSED = "study", "closed_at"


class Answer(enum.Enum):
    """What became of a rating."""

    RECORDED = "recorded"
    ALREADY = "already"
    UNKNOWN = "unknown"
    CLOSED = "closed"


class State(NamedTuple):
    """Where a rater stands.

    Attributes:
        agreed: whether the rater has agreed to take part.
        done: comparisons rated.
        total: comparisons in all; 0 before the rater has agreed.
        next: the comparison to rate: its `nonce`, `first_asset`, `second_asset`, `first`, `second`; None for
            none.
        closed: whether the study is closed.
    """

    agreed: bool
    done: int
    total: int
    next: Any
    closed: bool


class Store:
    """The raters, comparisons and ratings of one study.

    Args:
        url: SQLAlchemy's URL of the database.
        study: id of the study.

    Raises:
        UserError: the database cannot be opened, or belongs to another study.
    """

    def __init__(self, url: str, study: str) -> None:
        # Threads wait for one another here instead of trying again and again.
        self._writing = threading.Lock()
        try:
            self._engine = sql.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                sql.event.listen(self._engine, "connect", _on_connect)
            self._is_sqlite, self._is_made = self._engine.dialect.name == "sqlite", False
            with self._change() as connection:
                _TABLES.create_all(connection)
                found = connection.scalar(_fact(_STUDY))
                if found is None:
                    connection.execute(_FACTS.insert().values(name=_STUDY, value=study))
        except (sql.exc.SQLAlchemyError, ImportError) as error:
            shown = url if url.startswith("sqlite") else url.partition("@")[2] or url
            raise UserError(f"database {shown} cannot be opened: {first_line(error)}") from error
        self._is_made = True
        self._ratings = GroupCommit(self._change)
        if found not in (None, study):
            raise UserError("the database has the ratings of another study; choose another one")

    def add_links(self, count: int) -> list[str]:
        """Make links for new raters; return their tokens, which the database does not contain."""
        tokens = [secrets.token_urlsafe(_TOKEN_BYTES) for _ in range(count)]
        with self._change() as connection:
            for token in tokens:
                connection.execute(_RATERS.insert().values(link_hash=_hash(token)))
        return tokens

    def state(self, token: str) -> State | None:
        """Return where a rater stands; None if there is no such link."""
        with self._engine.connect() as connection:
            rater = _rater(connection, token)
            if rater is None:
                return None
            mine = _COMPARISONS.c.rater_id == rater.id
            done, total = connection.execute(
                sql.select(sql.func.count(_COMPARISONS.c.rating), sql.func.count()).where(mine)
            ).one()
            following = connection.execute(
                sql.select(_COMPARISONS)
                .where(mine, _COMPARISONS.c.rating.is_(None))
                .order_by(_COMPARISONS.c.position)
                .limit(1)
            ).one_or_none()
            closed = connection.scalar(_fact(_CLOSED)) is not None
        return State(rater.agreed_at is not None, done, total, following, closed)

    def agree(self, token: str, make_schedule: Callable[[int], Sequence[Comparison]]) -> bool:
        """Note that a rater agrees, and fix the rater's comparisons; return whether the link exists.

        Args:
            token: token of the rater's link.
            make_schedule: number of the rater, from 0 -> list of `Comparison`.
        """
        with self._change() as connection:
            rater = _rater(connection, token)
            if rater is None:
                return False
            if rater.agreed_at is not None:
                return True
            number = connection.scalar(sql.select(sql.func.count(_RATERS.c.number))) or 0
            connection.execute(
                _RATERS.update()
                .where(_RATERS.c.id == rater.id)
                .values(number=number, agreed_at=_now())
            )
            rows = [_row(rater.id, *pair) for pair in enumerate(make_schedule(number))]
            connection.execute(_COMPARISONS.insert(), rows)
        return True

    def rate(self, token: str, nonce: str, rating: int) -> Answer:
        """Record a rating; once this returns RECORDED it outlives a kill of this process.

        Args:
            token: token of the rater's link.
            nonce: the number that the page with the comparison contained, good for one rating.
            rating: 1 (the first, clearly) to 5 (the second, clearly).
        """
        return self._ratings.do(lambda connection: _rate(connection, token, nonce, rating))

    def stimulus(self, asset: str) -> str | None:
        """Return the id of the stimulus that is shown under a name; None if there is none."""
        columns = _COMPARISONS.c
        query = sql.select(columns.first, columns.second, columns.first_asset).where(
            (columns.first_asset == asset) | (columns.second_asset == asset)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return row.first if row.first_asset == asset else row.second

    def counts(self) -> dict[str, int]:
        """Return how many links, raters who began, raters who finished, and ratings there are."""
        columns = _COMPARISONS.c
        left = sql.func.count() - sql.func.count(columns.rating)
        finished = (
            sql.select(columns.rater_id).group_by(columns.rater_id).having(left == 0).subquery()
        )
        queries = {
            "links": sql.select(sql.func.count()).select_from(_RATERS),
            "raters who began": sql.select(sql.func.count(_RATERS.c.number)),
            "raters who finished": sql.select(sql.func.count()).select_from(finished),
            "ratings": sql.select(sql.func.count(columns.rating)),
        }
        with self._engine.connect() as connection:
            return {name: connection.scalar(query) or 0 for name, query in queries.items()}

    def ratings(self) -> list[dict[str, Any]]:
        """Return every rating: rater, position, first, second, is_check, rating, rated_at."""
        columns = _COMPARISONS.c
        query = (
            sql.select(
                _RATERS.c.number.label("rater"),
                columns.position,
                columns.first,
                columns.second,
                columns.is_check,
                columns.rating,
                columns.rated_at,
            )
            .join_from(_COMPARISONS, _RATERS)
            .where(columns.rating.is_not(None))
            .order_by(_RATERS.c.number, columns.position)
        )
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        """Close the study: no rating is taken from now on."""
        with self._change() as connection:
            if connection.scalar(_fact(_CLOSED)) is None:
                connection.execute(_FACTS.insert().values(name=_CLOSED, value=_now()))

    def closed_at(self) -> str | None:
        """Return when the study was closed; None if it is open."""
        with self._engine.connect() as connection:
            return connection.scalar(_fact(_CLOSED))

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _change(self) -> Iterator[sql.Connection]:
        """Yield a connection in a transaction that is committed at the end of the block."""
        with self._writing, self._engine.connect() as connection:
            if self._is_sqlite:
                # Taken at once: two readers that both want to write would wait for each other.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif self._is_made:
                # Other servers of this study wait until this row is free.
                connection.execute(_fact(_STUDY).with_for_update())
            yield connection
            connection.commit()


def _rate(connection: sql.Connection, token: str, nonce: str, rating: int) -> Answer:
    if connection.scalar(_fact(_CLOSED)) is not None:
        return Answer.CLOSED
    rater = _rater(connection, token)
    mine = (
        rater is not None
        and connection.execute(
            sql.select(_COMPARISONS.c.id, _COMPARISONS.c.rating).where(
                _COMPARISONS.c.nonce == nonce, _COMPARISONS.c.rater_id == rater.id
            )
        ).one_or_none()
    )
    if not mine:
        return Answer.UNKNOWN
    changed = connection.execute(
        _COMPARISONS.update()
        .where(_COMPARISONS.c.id == mine.id, _COMPARISONS.c.rating.is_(None))
        .values(rating=rating, rated_at=_now())
    )
    return Answer.RECORDED if changed.rowcount == 1 else Answer.ALREADY


def _on_connect(connection: Any, record: Any) -> None:
    """Set a connection to SQLite up: a commit returns when the rating is on the disk."""
    del record
    # The driver opens no transactions of its own; `Store._change` does.
    connection.isolation_level = None
    for line in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {line}").close()


def _fact(name: str) -> Any:
    return sql.select(_FACTS.c.value).where(_FACTS.c.name == name)


def _rater(connection: sql.Connection, token: str) -> Any:
    query = sql.select(_RATERS).where(_RATERS.c.link_hash == _hash(token))
    return connection.execute(query).one_or_none()


def _row(rater: int, position: int, comparison: Comparison) -> dict[str, Any]:
    names = ("nonce", "first_asset", "second_asset")
    return {
        "rater_id": rater,
        "position": position,
        **comparison._asdict(),
        **{name: secrets.token_urlsafe(_TOKEN_BYTES) for name in names},
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
