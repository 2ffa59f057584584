"""Database servers of our own, in a temporary folder, to be crashed at will.

The machine's own servers are never touched. Where a server's programs are missing,
or cannot be run (they refuse root; runuser changes to their user), there is none.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from glob import glob
from pathlib import Path
from typing import Any, LiteralString


class Server:
    """One server process: ``url`` names it, ``crash`` kills it, ``start`` revives."""

    user = ""

    def __init__(self) -> None:
        # Not pytest's folders: those are closed to everybody but their owner.
        self.folder = Path(tempfile.mkdtemp(prefix="negin-sms-"))
        shutil.chown(self.folder, self.user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.create()

    def create(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start, and wait until it answers."""
        give_up_at = time.monotonic() + 60
        while not self.answers():
            assert time.monotonic() < give_up_at, "the server does not start"
            # After a crash its children may hold its memory for a moment.
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen(
                    self.as_user(self.command()),
                    cwd=self.folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            time.sleep(0.05)

    def crash(self) -> None:
        """kill -9, connections and all."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def as_user(self, command: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return command
        return ["runuser", "-u", self.user, "--", *command]

    def run(self, *command: str) -> None:
        subprocess.run(
            self.as_user(list(command)),
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder)},
            check=True,
            capture_output=True,
        )


def _postgres_bin() -> str:
    found = sorted(glob("/usr/lib/postgresql/*/bin"))
    return found[-1] if found else str(Path(shutil.which("initdb") or "/").parent)


class PostgreSQL(Server):
    user = "postgres"
    options: tuple[str, ...] = ()

    @staticmethod
    def is_there() -> bool:
        return Path(_postgres_bin(), "initdb").exists()

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        data = str(self.folder / "data")
        self.run(
            *(f"{_postgres_bin()}/initdb", "-D", data, "-U", "postgres"),
            *("-A", "trust", "-E", "UTF8", "--no-locale", "-N"),
        )

    def command(self) -> list[str]:
        return [
            *(f"{_postgres_bin()}/postgres", "-D", str(self.folder / "data")),
            *("-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1"),
            *self.options,
        ]

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def execute(self, *statements: LiteralString) -> Any:
        """Give it orders, while it is read-only, too; return what the last one says."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            for statement in statements:
                done = connection.execute(statement)
            return (done.fetchone() or [None])[0] if done.description else None


class SmallPostgreSQL(PostgreSQL):
    """A server that refuses the thirty-first connection, as those of hosters do."""

    options = ("-c", "max_connections=30")


def _lsn(words: str) -> tuple[int, int]:
    """Read a place in PostgreSQL's log, as ``16/B374D848``."""
    high, _, low = words.partition("/")
    return int(high, 16), int(low, 16)


class Standby(PostgreSQL):
    """A replica of a server, by streaming; stopped, it lags behind."""

    def __init__(self, primary: PostgreSQL) -> None:
        self.primary = primary
        super().__init__()

    def create(self) -> None:
        self.run(
            *(f"{_postgres_bin()}/pg_basebackup", "-D", str(self.folder / "data")),
            *("-h", "127.0.0.1", "-p", str(self.primary.port), "-U", "postgres"),
            *("-R", "-X", "stream", "-c", "fast"),
        )

    def catch_up(self) -> None:
        """Wait until it has what the primary has now."""
        position = self.primary.execute("SELECT pg_current_wal_lsn()::text")
        give_up_at = time.monotonic() + 60
        ask = "SELECT pg_last_wal_replay_lsn()::text"
        while _lsn(self.execute(ask)) < _lsn(position):
            assert time.monotonic() < give_up_at, "the standby does not follow"
            time.sleep(0.05)

    def take_over(self) -> None:
        """Serve in place of the primary, which is gone, at its address."""
        self.port = self.primary.port
        self.start()
        self.execute("SELECT pg_promote()")


class MariaDB(Server):
    user = "mysql"
    time_zone = "SYSTEM"
    options: tuple[str, ...] = ()

    @staticmethod
    def is_there() -> bool:
        return bool(shutil.which("mariadbd") and shutil.which("mariadb-install-db"))

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/mysql"

    def create(self) -> None:
        self.run(
            *("mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        )

    def command(self) -> list[str]:
        return [
            *("mariadbd", "--no-defaults", f"--datadir={self.folder}/data"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid"),
            *(f"--tmpdir={self.folder}", "--character-set-server=utf8mb4"),
            f"--default-time-zone={self.time_zone}",
            *self.options,
        ]

    def answers(self) -> bool:
        import MySQLdb

        try:
            MySQLdb.connect(host="127.0.0.1", port=self.port, user="root").close()
        except MySQLdb.OperationalError:
            return False
        return True

    def execute(self, *statements: str) -> Any:
        """Give it orders; return what the last one says."""
        import MySQLdb

        connection = MySQLdb.connect(host="127.0.0.1", port=self.port, user="root")
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return (cursor.fetchone() or [None])[0]
        finally:
            connection.close()


class MariaDBPrimary(MariaDB):
    """A server that others follow."""

    options = ("--log-bin", "--server-id=1")


class MariaDBReplica(MariaDB):
    """A replica of a server; stopped, it lags behind."""

    options = ("--server-id=2", "--skip-slave-start")

    def __init__(self, primary: MariaDBPrimary) -> None:
        self.primary = primary
        super().__init__()

    def start(self) -> None:
        """Start, and follow the primary from its beginning; once."""
        super().start()
        if self.port != self.primary.port:
            self.execute(
                "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='root', "
                f"MASTER_PORT={self.primary.port}, MASTER_USE_GTID=slave_pos",
                "START SLAVE",
            )

    def catch_up(self) -> None:
        """Wait until it has what the primary has now."""
        position = self.primary.execute("SELECT @@gtid_binlog_pos")
        assert self.execute(f"SELECT MASTER_GTID_WAIT('{position}', 60)") == 0

    def take_over(self) -> None:
        """Serve in place of the primary, which is gone, at its address."""
        self.port = self.primary.port
        self.start()


class TehranMariaDB(MariaDB):
    """A server that runs on Tehran's time, where CURRENT_TIMESTAMP is 3:30 off.

    A suite of tests is run on it, and nobody crashes it: it need not wait for its disk.
    """

    time_zone = "+03:30"
    options = ("--innodb-flush-log-at-trx-commit=0",)
