"""Signatures of the installation, and of others at publishing."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation
from system.models import Models


@pytest.fixture(scope="session")
def sign(programs: Path) -> Callable[[Path, Path], tuple[Path, Path]]:
    """Signs a file or folder with a new key of somebody else's: the signature and the public key."""

    def made(model: Path, folder: Path) -> tuple[Path, Path]:
        key, public, signature = folder / "other.key", folder / "other.pem", folder / "other.sig"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        tool = programs.parent / "test_tools" / "provenance_tool"
        subprocess.run([tool, "sign", key, model, signature], check=True, capture_output=True)
        return signature, public

    return made


def payload(bundle: Path) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(base64.b64decode(json.loads(bundle.read_text())["dsseEnvelope"]["payload"]))
    return statement


def test_a_version_is_signed_and_its_publication_stated(
    glasscase: Installation, models: Models, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("signed")
    published = glasscase.publish(models.scale, name)["model"]
    version = published["versions"][0]
    glasscase.cli("signature", name, "--output", str(tmp_path / "model.sig"), "--public-key", str(tmp_path / "signing.pem"))
    assert (tmp_path / "signing.pem").read_text() == (glasscase.data / "signing.pem").read_text()
    signed = payload(tmp_path / "model.sig")
    assert signed["predicate"]["resources"] == [{"algorithm": "sha256", "digest": version["sha256"], "name": "."}]
    glasscase.cli("signature", name, "--statement", "--output", str(tmp_path / "publish.json"))
    stated = payload(tmp_path / "publish.json")
    assert stated["subject"][0]["name"] == f"urn:uuid:{version['id']}"
    assert stated["predicate"]["asset"] == {"name": f"owner/{name}", "uuid": published["id"]}
    assert stated["predicate"]["ledger"]["index"] >= 0


def test_only_who_may_take_the_bytes_gets_their_signature(
    glasscase: Installation, models: Models, unique: Callable[[str], str]
) -> None:
    name = unique("signed")
    glasscase.publish(models.scale, name)
    token = glasscase.learner(unique("eva"), name)
    assert glasscase.request("GET", f"/glasscase/v1/models/{name}/signature", token, control=True).status_code == 403
    assert glasscase.request("GET", f"/glasscase/v1/models/{name}/statement", token).status_code == 200
    stranger = glasscase.learner(unique("eve"))
    assert glasscase.request("GET", f"/glasscase/v1/models/owner%2F{name}/statement", stranger).status_code == 404


@pytest.mark.parametrize("kept", [False, True])
def test_a_signature_of_others_is_checked_before_there_is_a_version(
    glasscase: Installation, models: Models, unique: Callable[[str], str], tmp_path: Path,
    sign: Callable[[Path, Path], tuple[Path, Path]], kept: bool,
) -> None:
    name, words = unique("foreign"), ["--kept"] if kept else []
    signature, public = sign(models.scale, tmp_path)
    for path, signer, why in ((models.scale_more, public, "other files"), (models.scale, glasscase.data / "signing.pem", "does not hold")):
        refused = glasscase.cli("publish", str(path), "--name", name, "--signature", str(signature), "--signer", str(signer), *words, check=False)
        assert (refused.returncode, why in refused.stderr) == (1, True), refused.stderr
        assert glasscase.cli("show", name, check=False).returncode == 1
    (tmp_path / "broken.sig").write_text(signature.read_text()[:-9])
    for broken in (["--signature", str(tmp_path / "broken.sig"), "--signer", str(public)], ["--signature", str(signature)]):
        assert glasscase.cli("publish", str(models.scale), "--name", name, *broken, *words, check=False).returncode in (1, 2)
    good = ("--signature", str(signature), "--signer", str(public))
    assert "is of these files" in glasscase.cli("publish", str(models.scale), "--name", name, *good, *words).stdout
    # The same bytes again: the signature is looked at all the same.
    wrong = ("--signature", str(signature), "--signer", str(glasscase.data / "signing.pem"))
    assert glasscase.cli("publish", str(models.scale), "--name", name, *wrong, *words, check=False).returncode == 1
    assert glasscase.cli("publish", str(models.scale), "--name", name, *good, *words).returncode == 0
    assert len(glasscase.cli("show", name, json=True)["versions"]) == 1


def test_a_folder_is_signed_file_by_file_and_of_parts(
    glasscase: Installation, unique: Callable[[str], str], tmp_path: Path, programs: Path,
    sign: Callable[[Path, Path], tuple[Path, Path]],
) -> None:
    name, folder = unique("folder"), tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    (folder / "big.bin").write_bytes(bytes(range(256)) * 6_000)
    (folder / "more" / "small.txt").write_bytes(b"x")
    _, public = sign(folder, tmp_path)
    tool = programs.parent / "test_tools" / "provenance_tool"
    subprocess.run([tool, "sign", tmp_path / "other.key", folder, tmp_path / "shards.sig", "100000"], check=True, capture_output=True)
    glasscase.cli("dataset", "add", str(folder), "--name", name, "--signature", str(tmp_path / "shards.sig"), "--signer", str(public))
    glasscase.cli("signature", name, "--output", str(tmp_path / "ours.sig"))
    resources = {r["name"]: r["digest"] for r in payload(tmp_path / "ours.sig")["predicate"]["resources"]}
    assert resources == {p: hashlib.sha256((folder / p).read_bytes()).hexdigest() for p in ("big.bin", "more/small.txt")}


def test_the_key_survives_a_backup_and_is_made_where_there_was_none(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.scale, "scale")
    public = (glasscase.data / "signing.pem").read_text()
    assert (glasscase.data / "keys" / "signing.key").stat().st_mode & 0o777 == 0o600
    glasscase.cli("backup", str(tmp_path / "backup"), "--data", str(glasscase.data))
    glasscase.cli("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "again"))
    assert (tmp_path / "again" / "signing.pem").read_text() == public
    assert (tmp_path / "again" / "keys" / "signing.key").read_bytes() == (glasscase.data / "keys" / "signing.key").read_bytes()
    glasscase.stop()
    (glasscase.data / "signing.pem").unlink()
    (glasscase.data / "keys" / "signing.key").unlink()
    glasscase.start()
    glasscase.cli("signature", "scale", "--output", str(tmp_path / "model.sig"))
    assert (glasscase.data / "signing.pem").read_text() != public
