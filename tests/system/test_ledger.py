"""The ledger as a stranger meets it: acts become entries, entries are proved, other assets are kept."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from system.installation import Installation, running, wait_until
from system.models import Models
from system.receipts import commitment, read_extra


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


class Log:
    """What anybody can read under /log/."""

    def __init__(self, glasscase: Installation) -> None:
        note = requests.get(f"{glasscase.url}/log/checkpoint", timeout=10).text
        text, self.signatures = note.split("\n\n", 1)
        self.origin, size, root = text.split("\n")
        self.size, self.root = int(size), base64.b64decode(root)
        self.raw: list[bytes] = []
        for first in range(0, self.size, 256):
            width = min(256, self.size - first)
            path = f"tile/entries/{first // 256:03}" + (f".p/{width}" if width < 256 else "")
            bundle = requests.get(f"{glasscase.url}/log/{path}", timeout=10).content
            while bundle:
                length = int.from_bytes(bundle[:2], "big")
                self.raw.append(bundle[2 : 2 + length])
                bundle = bundle[2 + length :]

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(entry) for entry in self.raw]

    def types(self, asset: str) -> list[str]:
        return [e["type"] for e in self.entries if e.get("asset") == asset]


def published_log(glasscase: Installation, asset: str, last: str) -> Log:
    wait_until(f"{last} is published", lambda: Log(glasscase).types(asset)[-1:] == [last])
    return Log(glasscase)


def test_every_act_on_an_asset_is_an_entry_without_names(
    glasscase: Installation, models: Models, unique: Callable[[str], str]
) -> None:
    name = unique("secretive")
    shown = glasscase.publish(models.scale, name)["model"]
    ada = unique("ada")
    glasscase.cli("subject", "add", ada)
    grant = glasscase.cli("grant", ada, "predict", name, "--quota", "7/min", json=True)
    glasscase.cli("revoke", "grant", grant["id"])
    glasscase.publish(models.scale_more, name)
    glasscase.cli("retire", f"{name}@1")
    glasscase.cli("erase", f"{name}@1", "--yes")
    log = published_log(glasscase, shown["id"], "erased")
    assert log.types(shown["id"]) == ["registered", "version", "grant", "grant-withdrawn", "version", "retired", "erased"]
    everything = b"\n".join(log.raw).decode()
    for hidden in (name, ada, "7/min", shown["versions"][0]["sha256"]):
        assert hidden not in everything
    assert root_of([leaf(e) for e in log.raw]) == log.root
    assert log.entries[-1] == {"root": log.entries[-1]["root"], "size": log.size - 1, "type": "map", "v": 1}


def test_a_receipt_opens_the_commitments_of_its_entry(
    glasscase: Installation, models: Models, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("registered")
    version = glasscase.publish(models.scale, name)["model"]["versions"][0]
    path = tmp_path / "r.tlog-proof"
    wait_until("the receipt is there", lambda: glasscase.cli("receipt", name, "--output", str(path), check=False).returncode == 0)
    lines = path.read_text().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    extra = read_extra(path.read_text())
    entry = json.loads(extra.entry)
    assert entry["version"] == version["id"]
    assert extra.values["sha256"] == hashlib.sha256(models.scale.read_bytes()).hexdigest()
    for field, value in extra.values.items():
        assert commitment(extra.salts[field], field, value) == entry["hidden"][field]
    assert set(extra.values) == {"label", "name", "sha256"}
    assert extra.entry.encode() in Log(glasscase).raw


def test_a_learner_tells_which_registered_model_answers(
    glasscase: Installation, models: Models, unique: Callable[[str], str]
) -> None:
    name = unique("answers")
    first, second = (glasscase.publish(model, name)["model"]["versions"][0] for model in (models.scale, models.scale_more))
    token = glasscase.learner(unique("eva"), f"{name}@1")
    policy = str(glasscase.data / "ledger-policy")
    metadata = glasscase.request("GET", f"/v2/models/{name}/versions/1", token).json()["registered"]
    assert (metadata["version"], metadata["sha256"], metadata["label"]) == (first["id"], first["sha256"], "1")
    assert glasscase.request("GET", metadata["receipt"], token).json()["sha256"] == first["sha256"]
    verified = glasscase.cli("verify", "--model", f"{name}@1", "--policy", policy, "--json", token=token)
    told = json.loads(verified.stdout)
    assert (told["version"], told["disclosed"]["sha256"]) == (first["id"], first["sha256"])
    assert "answers" in glasscase.cli("verify", "--model", name, "--policy", policy).stdout
    # Nothing about versions that were not granted.
    for path in (f"/v2/models/{name}", f"/glasscase/v1/models/{second['id']}/receipt", f"/glasscase/v1/models/{name}/receipt"):
        assert glasscase.request("GET", path, token).status_code == 404, path
    assert glasscase.cli("verify", "--model", name, "--policy", policy, token=token, check=False).returncode == 1


def test_a_server_that_names_another_model_than_the_receipts_is_caught(
    glasscase: Installation, models: Models, unique: Callable[[str], str]
) -> None:
    """A server in front of ours alters one member of the metadata at a time."""
    name = unique("lied")
    glasscase.publish(models.scale, name)
    token, altered = glasscase.learner(unique("eva"), name), {"member": ""}

    class Liar(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = requests.get(glasscase.url + self.path, headers={"Authorization": self.headers["Authorization"]}, timeout=10)
            body = answer.json()
            if altered["member"] and "registered" in body:
                value = body["registered"][altered["member"]]
                body["registered"][altered["member"]] = value[:-1] + ("1" if value[-1] != "1" else "2")
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Liar) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = glasscase.environment(token) | {"GLASSCASE_URL": f"http://127.0.0.1:{server.server_port}"}
        command = [str(glasscase.programs / "glasscase"), "verify", "--model", name, "--policy", str(glasscase.data / "ledger-policy")]
        for member in ("", "name", "label", "asset", "sha256", "version"):
            altered["member"] = member
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == (1 if member else 0), (member, done.stdout + done.stderr)
            assert not member or member == "version" or "not the registered one" in done.stderr
        server.shutdown()


def test_a_history_is_proved_complete(
    glasscase: Installation, models: Models, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("history")
    asset = glasscase.publish(models.scale, name)["model"]["id"]
    published_log(glasscase, asset, "version")
    done = glasscase.cli("history", name, "--prove")
    assert "proved: these 2 entries" in done.stdout
    assert "not protected against the operator" in done.stdout
    other = tmp_path / "policy"
    other.write_text("log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\nquorum none\n")
    refused = glasscase.cli("history", name, "--prove", "--policy", str(other), check=False)
    assert refused.returncode == 1


def test_a_dataset_is_kept_and_the_model_says_what_it_was_trained_on(
    glasscase: Installation, models: Models, unique: Callable[[str], str], tmp_path: Path
) -> None:
    data, model = unique("data"), unique("model")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"a")
    (tmp_path / "images" / "b.png").write_bytes(b"b")
    added = glasscase.cli("dataset", "add", str(tmp_path / "images"), "--name", data, "--licence", "CC0-1.0", "--tag", "small", json=True)
    shown = glasscase.cli("show", data, json=True)
    assert (shown["kind"], shown["licence"], shown["tags"]) == ("dataset", "CC0-1.0", ["small"])
    glasscase.publish(models.scale, model, "--trained-on", data)
    parents = glasscase.cli("show", model, json=True)["versions"][0]["parents"]
    assert [(p["relation"], p["by"], p["name"]) for p in parents] == [("trained_on", "claimed", f"owner/{data}@1")]
    assert ", trained on it (claimed)" in glasscase.cli("show", data).stdout
    assert glasscase.infer(data, {"inputs": []}).status_code == 404
    assert [m["name"] for m in glasscase.cli("list", "datasets", json=True) if m["id"] == added["model"]["id"]] == [f"owner/{data}"]
    refused = glasscase.cli("publish", str(models.scale_more), "--name", unique("x"), "--trained-on", "nothing", check=False)
    assert refused.returncode == 1
    taken = glasscase.cli("publish", str(models.scale_more), "--name", data, check=False)
    assert taken.returncode == 1
    assert "dataset" in taken.stderr


def test_taking_needs_its_own_grant_and_is_checked_while_it_is_written(
    glasscase: Installation, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name, ada = unique("data"), unique("ada")
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    (folder / "big.bin").write_bytes(bytes(range(256)) * 6_000)
    (folder / "more" / "empty.txt").write_bytes(b"")
    glasscase.cli("dataset", "add", str(folder), "--name", name)
    glasscase.cli("subject", "add", ada)
    token = glasscase.cli("token", "create", ada, json=True)["token"]
    grant = glasscase.cli("grant", ada, "take", name, json=True)
    glasscase.cli("take", f"owner/{name}", "--output", str(tmp_path / "taken"), token=token)
    assert digests_of(tmp_path / "taken") == digests_of(folder)
    again = glasscase.cli("take", f"owner/{name}", "--output", str(tmp_path / "taken"), token=token, check=False)
    assert (again.returncode, "already something" in again.stderr) == (1, True)
    glasscase.cli("revoke", "grant", grant["id"])
    refused = glasscase.cli("take", f"owner/{name}", "--output", str(tmp_path / "not"), token=token, check=False)
    assert refused.returncode == 1
    assert not (tmp_path / "not").exists()


def test_a_learner_who_may_call_may_not_take(
    glasscase: Installation, digits: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    token = glasscase.learner(unique("eve"), digits)
    refused = glasscase.cli("take", digits, "--output", str(tmp_path / "m.onnx"), token=token, check=False)
    assert refused.returncode == 1
    assert "no grant to take" in refused.stderr
    assert glasscase.request("GET", f"/glasscase/v1/models/{digits.replace('/', '%2F')}/files/0", token).status_code == 403
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_not_the_registered_ones_are_not_kept(
    fresh_glasscase: Callable[..., Installation], tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    (tmp_path / "data.csv").write_text("1,2,3\n")
    sha256 = glasscase.cli("dataset", "add", str(tmp_path / "data.csv"), "--name", "data", json=True)["model"]["versions"][0]["sha256"]
    blob = glasscase.data / "blobs" / "sha256" / sha256[:2] / sha256
    blob.chmod(0o600)
    blob.write_text("1,2,4\n")
    refused = glasscase.cli("take", "data", "--output", str(tmp_path / "out.csv"), check=False)
    assert refused.returncode == 1
    assert "not the registered file" in refused.stderr
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("out")) == []


def test_a_grant_to_take_does_not_let_call(glasscase: Installation, digits: str, models: Models, unique: Callable[[str], str]) -> None:
    ada = unique("ada")
    glasscase.cli("subject", "add", ada)
    token = glasscase.cli("token", "create", ada, json=True)["token"]
    glasscase.cli("grant", ada, "take", digits)
    assert glasscase.infer(digits, models.digit_body(), token).status_code == 404
    glasscase.cli("grant", ada, "predict", digits)
    assert glasscase.infer(digits, models.digit_body(), token).status_code == 200


def test_an_operator_may_close_the_log(fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path) -> None:
    glasscase = fresh_glasscase(serve_words=("--closed-log",))
    glasscase.publish(models.scale, "scale")
    token = glasscase.learner("ada", "scale")
    for control in (False, True):
        for path in ("/log/checkpoint", "/log/tile/0/000.p/3"):
            assert glasscase.request("GET", path, "", control=control).status_code == 401
            assert glasscase.request("GET", path, "gct_" + "x" * 36, control=control).status_code == 401
            assert glasscase.request("GET", path, token, control=control).status_code == 200
    # Receipts, status and the policy are as they were.
    written = glasscase.cli("receipt", "scale", "--output", str(tmp_path / "r.tlog-proof"), token=token)
    policy = str(glasscase.data / "ledger-policy")
    assert "/ledger-policy'" in written.stdout, "where it lies, for the profile knows the data directory"
    assert glasscase.cli("verify", str(tmp_path / "r.tlog-proof"), "--policy", policy).returncode == 0
    assert glasscase.cli("status", json=True)["ledger_key"] in Path(policy).read_text()


@pytest.mark.parametrize("name", ["keys", "../keys/ledger.key", "tile/0/../../../catalog.db", "%2e%2e/catalog.db", "tile/entries/000.p/", ""])
def test_nothing_but_the_log_is_read_under_log(glasscase: Installation, name: str) -> None:
    with requests.Session() as session:
        asked = requests.Request("GET", f"{glasscase.url}/log/").prepare()
        asked.url = f"{glasscase.url}/log/{name}"
        answer = session.send(asked, timeout=10)
    assert answer.status_code in (400, 401, 404), answer.text


def test_the_log_survives_a_restart_and_a_backup(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    asset = glasscase.publish(models.scale, "scale")["model"]["id"]
    before = published_log(glasscase, asset, "version")
    glasscase.restart()
    again = Log(glasscase)
    assert (again.size, again.root) == (before.size, before.root)
    glasscase.publish(models.scale_more, "scale")
    after = published_log(glasscase, asset, "version")
    wait_until("both versions are there", lambda: Log(glasscase).types(asset).count("version") == 2)
    after = Log(glasscase)
    assert after.raw[: before.size] == before.raw
    glasscase.cli("backup", str(tmp_path / "backup"), "--data", str(glasscase.data))
    assert (tmp_path / "backup" / "log").is_dir()
    assert json.loads((tmp_path / "backup" / "backup.json").read_text())["files"]["keys/ledger.key"]


@pytest.fixture(scope="module")
def stopped(programs: Path, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an installation with a little of everything, stopped."""
    folder = tmp_path_factory.mktemp("stopped")
    with running(programs, folder) as glasscase:
        (folder / "data.csv").write_text("1,2\n")
        glasscase.cli("dataset", "add", str(folder / "data.csv"), "--name", "data")
        asset = glasscase.publish(models.scale, "scale", "--trained-on", "data")["model"]["id"]
        glasscase.cli("subject", "add", "ada")
        glasscase.cli("grant", "ada", "predict", "scale", "--quota", "5/min")
        glasscase.publish(models.scale_more, "scale")
        glasscase.cli("retire", "scale@1")
        published_log(glasscase, asset, "retired")
        served = glasscase.cli("fsck", check=False)
        assert (served.returncode, served.stderr) == (0, ""), served.stdout
        glasscase.stop()
        return shutil.copytree(glasscase.data, folder / "copy")


def fsck(programs: Path, data: Path) -> tuple[int, str]:
    done = subprocess.run([programs / "glasscase", "fsck", "--data", str(data)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def digests_of(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_fsck_of_a_stopped_directory_changes_nothing(programs: Path, stopped: Path) -> None:
    before = digests_of(stopped)
    code, said = fsck(programs, stopped)
    assert code == 0, said
    assert "0 problems" in said
    assert digests_of(stopped) == before


def test_fsck_finds_every_changed_byte_of_log_and_blobs(programs: Path, stopped: Path, tmp_path: Path) -> None:
    files = [p for folder in ("log", "blobs") for p in sorted((stopped / folder).rglob("*")) if p.is_file()]
    checked = 0
    for path in files:
        relative = path.relative_to(stopped)
        data = shutil.copytree(stopped, tmp_path / f"data{checked}")
        changed = bytearray(path.read_bytes())
        changed[len(changed) * checked // 7 % len(changed)] ^= 1
        (data / relative).chmod(0o600)
        (data / relative).write_bytes(changed)
        code, said = fsck(programs, data)
        assert code == 1, relative
        assert str(relative) in said or (relative.parts[0] == "log" and "log/" in said), said
        checked += 1
    assert checked >= 5


def repair(programs: Path, data: Path) -> tuple[int, list[str], list[str]]:
    """The exit code, what was repaired, and what was left."""
    command = [str(programs / "glasscase"), "fsck", "--repair", "--data", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    return done.returncode, said["repaired"], said["left"] + said["problems"]


@pytest.mark.parametrize("harm", ["changed", "cut", "deleted"])
def test_every_file_of_the_log_is_repaired_or_named(programs: Path, stopped: Path, tmp_path: Path, harm: str) -> None:
    for number, path in enumerate(p for p in sorted((stopped / "log").rglob("*")) if p.is_file()):
        relative = path.relative_to(stopped)
        data = shutil.copytree(stopped, tmp_path / f"data{number}")
        if harm == "deleted":
            (data / relative).unlink()
        else:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            (data / relative).write_bytes(content[: len(content) // 2] if harm == "cut" else content)
        keys = digests_of(data / "keys")
        code, repaired, left = repair(programs, data)
        if code == 0:
            assert not left
            assert {k: v for k, v in digests_of(stopped / "log").items() if k in digests_of(data / "log")} == digests_of(data / "log")
        else:
            assert relative.parts[2] == "entries", (relative, left)
            assert not repaired
            assert any(str(relative) in line and "put the file back" in line for line in left), left
        again = repair(programs, data)
        assert (again[0], again[1]) == (code, [])
        assert digests_of(data / "keys") == keys
        assert fsck(programs, data)[0] == code
        shutil.rmtree(data)


def test_a_repaired_directory_is_served_on(programs: Path, models: Models, tmp_path: Path) -> None:
    with running(programs, tmp_path) as glasscase:
        asset = glasscase.publish(models.scale, "scale")["model"]["id"]
        published_log(glasscase, asset, "version")
        served = glasscase.cli("fsck", "--repair", "--data", str(glasscase.data), check=False)
        assert (served.returncode, "stop it first" in served.stderr) == (1, True)
        glasscase.stop()
        shutil.rmtree(glasscase.data / "log" / "tile" / "0")
        (glasscase.data / "log" / "checkpoint").write_text("nothing")
        assert repair(programs, glasscase.data)[0] == 0
        glasscase.start()
        assert glasscase.cli("status", json=True)["ledger_trouble"] == ""
        published_log(glasscase, asset, "version")
        glasscase.publish(models.scale_more, "scale")
        wait_until("both versions are there", lambda: Log(glasscase).types(asset).count("version") == 2)


def test_an_index_that_disagrees_with_its_rows_is_made_anew(programs: Path, stopped: Path, tmp_path: Path) -> None:
    data = shutil.copytree(stopped, tmp_path / "data")
    for statement in (
        "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'tokens_of_subject'",
        "DELETE FROM sqlite_schema WHERE name = 'tokens_of_subject'",
        "UPDATE tokens SET subject = (SELECT id FROM subjects WHERE name = 'ada')",
        "INSERT INTO sqlite_schema SELECT * FROM kept",
        "DROP TABLE kept",
    ):
        with sqlite3.connect(data / "catalog.db") as database:
            database.execute("PRAGMA writable_schema = ON")
            database.execute(statement)
        database.close()
    code, said = fsck(programs, data)
    assert (code, "fsck --repair" in said) == (1, True), said
    code, repaired, left = repair(programs, data)
    assert (code, left, len(repaired)) == (0, [], 1)
    assert fsck(programs, data)[0] == 0


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE versions SET sha256 = zeroblob(32) WHERE label = '2'", "sha256"),
        ("UPDATE versions SET label = '7' WHERE label = '2'", "label"),
        ("UPDATE versions SET state = 1 WHERE label = '1'", "retired"),
        ("UPDATE models SET name = 'other' WHERE name = 'scale'", "name"),
        ("UPDATE models SET kind = 1 WHERE name = 'data'", "kind"),
        ("UPDATE grants SET quota_calls = 500", "terms"),
        ("UPDATE grants SET revoked = 1", "withdrawn"),
        ("UPDATE subjects SET name = 'bob' WHERE name = 'ada'", "subject"),
        ("DELETE FROM lineage", "lineage"),
        ("UPDATE ledger_head SET size = size - 1", "old catalog"),
        ("UPDATE ledger_head SET root = zeroblob(32)", "root"),
    ],
)
def test_fsck_finds_rows_that_disagree_with_their_entries(
    programs: Path, stopped: Path, tmp_path: Path, statement: str, named: str
) -> None:
    data = shutil.copytree(stopped, tmp_path / "data")
    with sqlite3.connect(data / "catalog.db") as database:
        assert database.execute(statement).rowcount > 0
    database.close()
    code, said = fsck(programs, data)
    assert code == 1
    assert named in said, said


def test_an_old_catalog_under_a_newer_log_is_not_signed_over(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    asset = glasscase.publish(models.scale, "scale")["model"]["id"]
    published_log(glasscase, asset, "version")
    glasscase.stop()
    for name in ("catalog.db", "catalog.db-wal"):
        if (glasscase.data / name).exists():
            shutil.copy2(glasscase.data / name, tmp_path / name)
    glasscase.start()
    glasscase.publish(models.scale_more, "scale")
    wait_until("both versions are there", lambda: Log(glasscase).types(asset).count("version") == 2)
    newest = Log(glasscase)
    glasscase.stop()
    for name in ("catalog.db", "catalog.db-wal", "catalog.db-shm"):
        (glasscase.data / name).unlink(missing_ok=True)
        if (tmp_path / name).exists():
            shutil.copy2(tmp_path / name, glasscase.data / name)
    shutil.chown(glasscase.data / "catalog.db", glasscase.data.stat().st_uid, glasscase.data.stat().st_gid)
    glasscase.start()
    assert "old catalog was put back" in glasscase.cli("status", json=True)["ledger_trouble"]
    again = Log(glasscase)
    assert (again.size, again.root) == (newest.size, newest.root)


def test_a_directory_of_the_first_schema_is_taken_over_and_its_history_entered(programs: Path, tmp_path: Path) -> None:
    """What was there before there was a ledger becomes entries that say so, once."""
    schema = Path(__file__).resolve().parents[2] / "src/custody/catalog/sqlite/testdata/schema1.sql"
    with running(programs, tmp_path) as glasscase:
        glasscase.stop()
        owner = (glasscase.data / "catalog.db").stat()
        for left_over in glasscase.data.glob("catalog.db*"):
            left_over.unlink()
        for folder in ("log", "keys"):
            shutil.rmtree(glasscase.data / folder)
        (glasscase.data / "ledger-policy").unlink()
        with sqlite3.connect(glasscase.data / "catalog.db") as database:
            database.executescript(schema.read_text())
        database.close()
        shutil.chown(glasscase.data / "catalog.db", owner.st_uid, owner.st_gid)
        asset = "00000000-0000-0000-0000-000000000005"
        for _ in range(2):
            glasscase.start()
            log = published_log(glasscase, asset, "grant")
            assert log.types(asset) == ["registered", "version", "grant"]
            assert all(e["history"] == "before the ledger" for e in log.entries if e.get("asset") == asset)
            glasscase.stop()
        code, said = fsck(programs, glasscase.data)
        assert code == 1  # the schema's test data names a blob that is not there
        assert said.count(": ") == 2 and "is missing" in said, said
