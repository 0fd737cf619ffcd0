"""Real servers on loopback: PostgreSQL, and an S3 server. Each with a folder and a port of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from system.installation import Installation, free_ports, wait_until

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "only for this test"


def _other_user() -> dict[str, Any]:
    """PostgreSQL refuses to be root, the tests may be."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@dataclass
class PostgresServer:
    """`url` opens a new database as a role with a password."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program(name: str) -> Path:
        return max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [self.program("postgres"), "-D", self.folder / "data", "-k", self.folder, "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", "-c", "fsync=off"],
            cwd=self.folder, stdout=log, stderr=log, **_other_user())
        log.close()
        wait_until("PostgreSQL answers", lambda: self.sql("SELECT 1", check=False).returncode == 0, 30)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends the sessions in order, SIGQUIT is a crash."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(30)

    def sql(self, statement: str, database: str = "postgres", check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port),
             "-U", "root_of_tests", "-c", statement, database], capture_output=True, text=True, check=check, timeout=30)

    def new_database(self) -> str:
        name = "t" + uuid.uuid4().hex[:12]
        self.sql(f'CREATE DATABASE "{name}" OWNER glasscase')
        return f"postgresql://glasscase@127.0.0.1:{self.port}/{name}"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="gc-pg-"))
    folder.chmod(0o755)
    other = _other_user()
    if other:
        os.chown(folder, other["user"], other["group"])
    server = PostgresServer(folder, free_ports(1)[0])
    password = folder / "password"
    password.write_text("root of tests\n")
    password.chmod(0o644)
    subprocess.run(
        [server.program("initdb"), "-D", folder / "data", "-U", "root_of_tests", "-E", "UTF8", "--locale=C", "-N",
         "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"],
        cwd=folder, check=True, capture_output=True, timeout=60, **other)
    try:
        server.start()
        server.sql(f"CREATE ROLE glasscase LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class S3Server:
    """Buckets are folders, objects files in them."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    access_key = "glasscase-test"
    secret_key = "only-for-this-test"

    def start(self) -> None:
        program = ROOT / ".deps/go/bin/versitygw"
        assert program.exists(), f"there is no {program}: run tools/bootstrap"
        self.process = subprocess.Popen(
            [program, "--port", f"127.0.0.1:{self.port}", "posix", self.folder],
            env={"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("the S3 server answers", self._answers, 30)

    def _answers(self) -> bool:
        try:
            requests.get(f"http://127.0.0.1:{self.port}/", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.05)
            return False
        return True

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def new_bucket(self) -> str:
        """The URL of one, as a setting."""
        name = "bucket-" + uuid.uuid4().hex
        (self.folder / name).mkdir()
        return f"s3://{name}/glasscase?endpoint=http://127.0.0.1:{self.port}"

    def objects(self, url: str) -> list[Path]:
        bucket = self.folder / url.split("/")[2]
        return [path for path in bucket.rglob("*") if path.is_file()]


@contextmanager
def s3_server() -> Iterator[S3Server]:
    folder = Path(tempfile.mkdtemp(prefix="gc-s3-"))
    server = S3Server(folder, free_ports(1)[0])
    try:
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def give_keys(data: Path, s3: S3Server | None = None) -> None:
    """Where the operator puts them."""
    keys = {"postgres-password": PASSWORD}
    if s3 is not None:
        keys["s3-keys"] = f"{s3.access_key}\n{s3.secret_key}\n"
    for name, text in keys.items():
        path = data / "keys" / name
        path.write_text(text)
        path.chmod(0o600)
        # As `init` does when it is root: the custodian's user reads them.
        owner = (data / "keys" / "ledger.key").stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def moved(glasscase: Installation, postgres: PostgresServer, s3: S3Server | None = None) -> str:
    """Stops it, moves it, starts it; gives the database's URL."""
    assert glasscase.stop() == 0
    give_keys(glasscase.data, s3)
    url = postgres.new_database()
    words = ["--to", url, *(["--blobs-to", s3.new_bucket()] if s3 is not None else [])]
    said = glasscase.cli("migrate", "--data", str(glasscase.data), *words).stdout
    assert "the same in both (SHA-256" in said
    assert s3 is None or "read back with the same SHA-256" in said
    glasscase.start()
    return url
