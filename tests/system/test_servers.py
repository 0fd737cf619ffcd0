"""Catalog and blobs in servers: PostgreSQL and S3, reached by the relay alone."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from system.installation import Installation, wait_until
from system.models import Models
from system.servers import PostgresServer, S3Server, moved, postgres_server, s3_server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def test_an_installation_moves_to_servers_and_goes_on(
    fresh_glasscase: Callable[..., Installation], models: Models, postgres: PostgresServer, s3: S3Server
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    glasscase.cli("subject", "add", "ada")
    token = glasscase.cli("token", "create", "ada", json=True)["token"]
    grant = glasscase.cli("grant", "ada", "predict", "digits", json=True)["id"]
    before = glasscase.infer("digits", models.digit_body(), token)
    assert before.status_code == 200
    receipt = glasscase.folder / "digits.tlog-proof"
    glasscase.cli("receipt", "digits", "--output", str(receipt))

    moved(glasscase, postgres, s3)
    after = glasscase.infer("digits", models.digit_body(), token)
    assert after.json()["outputs"] == before.json()["outputs"]
    assert "glasscase-relay" in {process.name() for process in glasscase.processes()}
    # New acts, a new model, and the log goes on where it was.
    glasscase.publish(models.digits, "digits2")
    assert glasscase.infer("owner/digits2", models.digit_body()).status_code == 200
    glasscase.cli("revoke", "grant", grant)
    assert glasscase.infer("digits", models.digit_body(), token).status_code == 404
    glasscase.restart()
    assert glasscase.infer("owner/digits2", models.digit_body()).status_code == 200
    policy = glasscase.data / "ledger-policy"
    glasscase.cli("verify", str(receipt), "--policy", str(policy))
    glasscase.cli("receipt", "digits2", "--output", str(glasscase.folder / "new.tlog-proof"))
    glasscase.cli("verify", str(glasscase.folder / "new.tlog-proof"), "--policy", str(policy))


def test_bytes_lie_in_the_bucket_and_come_back_without_a_cache(
    fresh_glasscase: Callable[..., Installation], models: Models, postgres: PostgresServer, s3: S3Server
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    moved(glasscase, postgres, s3)
    sha256 = hashlib.sha256(models.digits.read_bytes()).hexdigest()
    conf = (glasscase.data / "glasscase.conf").read_text()
    bucket = conf.split('blobs = "')[1].split('"')[0]
    assert [path.name for path in s3.objects(bucket)] == [sha256]
    assert glasscase.stop() == 0
    cached = glasscase.data / "blobs" / "sha256" / sha256[:2] / sha256
    cached.unlink()
    glasscase.start()
    assert glasscase.infer("digits", models.digit_body()).status_code == 200
    assert cached.exists()


def test_the_old_catalog_is_served_no_more(
    fresh_glasscase: Callable[..., Installation], models: Models, postgres: PostgresServer
) -> None:
    glasscase = fresh_glasscase()
    moved(glasscase, postgres)
    assert glasscase.stop() == 0
    (glasscase.data / "glasscase.conf").unlink()
    with pytest.raises(AssertionError, match="the catalog was moved to postgresql://"):
        glasscase.start()


def test_a_database_that_restarts_loses_nothing(
    fresh_glasscase: Callable[..., Installation], models: Models, postgres: PostgresServer
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    moved(glasscase, postgres)
    acknowledged = []
    for number in range(6):
        if number == 3:
            postgres.stop(signal.SIGQUIT)
            refused = glasscase.cli("subject", "add", "nobody", check=False)
            assert refused.returncode == 1
            assert "PostgreSQL" in refused.stderr or "catalog" in refused.stderr, refused.stderr
            postgres.start()
            wait_until("acts work again",
                       lambda: glasscase.cli("subject", "add", "again", check=False).returncode in (0, 1)
                       and "again" in glasscase.cli("list", "subjects", check=False).stdout, 30)
        glasscase.cli("subject", "add", f"learner{number}")
        acknowledged.append(f"learner{number}")
    names = {subject["name"] for subject in glasscase.cli("list", "subjects", json=True)}
    assert names >= set(acknowledged)
    assert glasscase.infer("digits", models.digit_body()).status_code == 200


def test_passwords_do_not_stand_in_the_settings(
    fresh_glasscase: Callable[..., Installation], postgres: PostgresServer
) -> None:
    glasscase = fresh_glasscase()
    assert glasscase.stop() == 0
    with_password = postgres.new_database().replace("glasscase@", "glasscase:secret@")
    refused = glasscase.cli("migrate", "--data", str(glasscase.data), "--to", with_password, check=False)
    assert refused.returncode == 1
    assert "keys/postgres-password" in refused.stderr and "secret" not in refused.stderr


def test_the_custodian_reaches_its_servers_and_nothing_else(
    fresh_glasscase: Callable[..., Installation], postgres: PostgresServer
) -> None:
    glasscase = fresh_glasscase()
    moved(glasscase, postgres)
    custodian = glasscase.processes("glasscase-custodian")[0]
    addresses = {connection.raddr.ip for connection in custodian.net_connections() if connection.raddr}
    assert addresses <= {"127.0.0.1"}
    inside = Path(f"/proc/{custodian.pid}/net/route").read_text().splitlines()
    assert len(inside) == 1, "a network namespace without routes"
