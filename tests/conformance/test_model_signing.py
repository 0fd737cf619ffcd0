"""Model signatures across tools: unmodified model-signing (PyPI) and @sigstore/verify (npm) accept what ours writes, ours
accepts what model-signing writes, and each refuses what was altered."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation
from system.models import Models

ROOT = Path(__file__).resolve().parents[2]
MODEL_SIGNING = ROOT / ".deps" / "model-signing" / "bin" / "python"
VERIFY_BUNDLE = Path(__file__).with_name("verify_bundle.mjs")
CURVES = {"P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1"}

# model-signing's program signs and checks by files only; shards are in its library.
SHARDS = """
import sys
import model_signing
act, model, key, signature, size = sys.argv[1:]
hashing = model_signing.hashing.Config().use_shard_serialization(shard_size=int(size)).set_ignored_paths(paths=[signature])
if act == "sign":
    model_signing.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(hashing).sign(model, signature)
else:
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=key).set_hashing_config(hashing)
    config.verify(model, signature)
"""


class Refused(Exception):
    """A program ended with a status other than 0; the text is what it wrote to stderr and stdout."""


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=100, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


class Ours:
    """This project's, through the module's test program."""

    def __init__(self, programs: Path) -> None:
        self.tool = programs.parent / "test_tools" / "provenance_tool"
        assert self.tool.is_file(), f"{self.tool} is not built: run `make build`, or set GLASSCASE_BIN"

    def sign(self, key: Path, model: Path, signature: Path, *shard_bytes: str) -> None:
        run(self.tool, "sign", key, model, signature, *shard_bytes)

    def verify(self, public: Path, model: Path, signature: Path) -> str:
        return run(self.tool, "verify", public, model, signature)

    def open(self, public: Path, bundle: Path) -> dict[str, Any]:
        statement: dict[str, Any] = json.loads(run(self.tool, "open", public, bundle))
        return statement


class Theirs:
    """OpenSSF's model-signing."""

    def sign(self, key: Path, model: Path, signature: Path) -> None:
        run(MODEL_SIGNING, "-m", "model_signing", "sign", "key", model, "--private_key", key, "--signature", signature)

    def sign_shards(self, key: Path, model: Path, signature: Path, shard_bytes: int) -> None:
        run(MODEL_SIGNING, "-c", SHARDS, "sign", model, key, signature, str(shard_bytes))

    def verify_shards(self, public: Path, model: Path, signature: Path, shard_bytes: int) -> None:
        run(MODEL_SIGNING, "-c", SHARDS, "verify", model, public, signature, str(shard_bytes))

    def verify(self, public: Path, model: Path, signature: Path) -> None:
        run(MODEL_SIGNING, "-m", "model_signing", "verify", "key", model, "--public_key", public, "--signature", signature)


# @sigstore/verify hashes with SHA-256 whatever the curve, so it reads P-256 only.
p256_only = pytest.mark.parametrize("keys", ["P-256"], indirect=True)


def sigstore_payload(public: Path, bundle: Path) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(run("node", VERIFY_BUNDLE, public, bundle))
    return payload


@pytest.fixture(scope="session")
def ours() -> Ours:
    # Not the fixture `programs`: of the programs only the module's own is needed.
    return Ours(Path(os.environ.get("GLASSCASE_BIN", ROOT / "build" / "release" / "bin")).resolve())


@pytest.fixture(scope="session")
def theirs() -> Theirs:
    assert MODEL_SIGNING.exists(), "model-signing is not installed: run tools/bootstrap"
    return Theirs()


@pytest.fixture(scope="session", params=CURVES)
def keys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private and a public key, as openssl makes them."""
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "private.pem", folder / "public.pem"
    run("openssl", "ecparam", "-name", CURVES[request.param], "-genkey", "-noout", "-out", private)
    run("openssl", "ec", "-in", private, "-pubout", "-out", public)
    return private, public


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with sub-folders, an empty file, names that sort differently as paths and as text, and a git folder."""
    folder = tmp_path / "digits"
    contents = {
        "model.onnx": b"weights" * 1000,
        "empty": b"",
        "a/b.txt": b"1",
        "a.txt": b"2",
        "a/deep/er/x.bin": bytes(range(256)) * 40,
        "Zahl ü.json": b"{}",
        "\U0001f600": b"beyond the basic plane",
        "\ufb33": b"sorts before it in UTF-16, after it as code points",
        ".git/HEAD": b"ref: refs/heads/main",
        ".gitignore": b"*.tmp",
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def single_file(folder: Path) -> Path:
    path = folder / "alone.onnx"
    path.write_bytes(b"weights" * 1000)
    return path


Alteration = Callable[[Path], None]


def change_a_byte(model: Path) -> None:
    path = model / "model.onnx" if model.is_dir() else model
    content = bytearray(path.read_bytes())
    content[4321] ^= 1
    path.write_bytes(content)


def lose_a_file(model: Path) -> None:
    (model / "a" / "b.txt").unlink()


def add_a_file(model: Path) -> None:
    (model / "a" / "new.py").write_text("import os\n")


def rename_a_file(model: Path) -> None:
    (model / "a.txt").rename(model / "b.txt")


ALTERATIONS: dict[Alteration, str] = {
    change_a_byte: "model.onnx",
    lose_a_file: "a/b.txt",
    add_a_file: "a/new.py",
    rename_a_file: "b.txt",
}


def change_payload(bundle: Path) -> None:
    """Makes the signed text name another digest, without signing it anew."""
    content = json.loads(bundle.read_text())
    payload = json.loads(base64.b64decode(content["dsseEnvelope"]["payload"]))
    payload["predicate"]["resources"][0]["digest"] = "0" * 64
    content["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    bundle.write_text(json.dumps(content))


def change_signature(bundle: Path) -> None:
    content = json.loads(bundle.read_text())
    signature = bytearray(base64.b64decode(content["dsseEnvelope"]["signatures"][0]["sig"]))
    signature[-1] ^= 1
    content["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    bundle.write_text(json.dumps(content))


# ---- what ours writes -------------------------------------------------------------------------------------------------


def test_theirs_accepts_a_folder_of_ours(ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path) -> None:
    signature = model / "model.sig"
    ours.sign(keys[0], model, signature)
    theirs.verify(keys[1], model, signature)
    ours.verify(keys[1], model, signature)


def test_theirs_accepts_a_single_file_of_ours(ours: Ours, theirs: Theirs, keys: tuple[Path, Path], tmp_path: Path) -> None:
    path, signature = single_file(tmp_path), tmp_path / "alone.sig"
    ours.sign(keys[0], path, signature)
    theirs.verify(keys[1], path, signature)
    change_a_byte(path)
    with pytest.raises(Refused, match="Hash mismatch"):
        theirs.verify(keys[1], path, signature)


def test_theirs_accepts_shards_of_ours(ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path, tmp_path: Path) -> None:
    signature = tmp_path / "outside.sig"
    ours.sign(keys[0], model, signature, "1000")
    theirs.verify_shards(keys[1], model, signature, 1000)
    ours.verify(keys[1], model, signature)
    change_a_byte(model)
    with pytest.raises(Refused, match="model.onnx:4000:5000"):
        theirs.verify_shards(keys[1], model, signature, 1000)


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=lambda alteration: alteration.__name__)
def test_theirs_refuses_an_altered_model_of_ours(
    ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path, alteration: Alteration
) -> None:
    ours.sign(keys[0], model, model / "model.sig")
    alteration(model)
    with pytest.raises(Refused):
        theirs.verify(keys[1], model, model / "model.sig")


@p256_only
def test_sigstore_accepts_ours_and_reads_the_same(ours: Ours, keys: tuple[Path, Path], model: Path, tmp_path: Path) -> None:
    signature = tmp_path / "model.sig"
    ours.sign(keys[0], model, signature)
    payload = sigstore_payload(keys[1], signature)
    assert payload == ours.open(keys[1], signature)
    assert payload["subject"][0]["name"] == "digits"
    names = [resource["name"] for resource in payload["predicate"]["resources"]]
    assert names == sorted(names)  # Python sorts by code points, as the specification does


@p256_only
@pytest.mark.parametrize("alteration", [change_payload, change_signature], ids=lambda alteration: alteration.__name__)
def test_all_refuse_an_altered_signature(
    ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path, tmp_path: Path, alteration: Alteration
) -> None:
    signature = tmp_path / "model.sig"
    ours.sign(keys[0], model, signature)
    alteration(signature)
    with pytest.raises(Refused, match="SIGNATURE_ERROR"):
        sigstore_payload(keys[1], signature)
    with pytest.raises(Refused, match="Verification failed"):
        theirs.verify(keys[1], model, signature)
    with pytest.raises(Refused, match="does not fit"):
        ours.verify(keys[1], model, signature)


@p256_only
def test_sigstore_accepts_our_own_statements(ours: Ours, keys: tuple[Path, Path], tmp_path: Path) -> None:
    bundle = tmp_path / "publish.json"
    run(ours.tool, "publish", keys[0], bundle)
    payload = sigstore_payload(keys[1], bundle)
    assert payload == ours.open(keys[1], bundle)
    assert payload["predicateType"] == "urn:glasscase:predicate:publish:v1"
    assert payload["predicate"]["ledger"] == {"origin": "example.org/log", "index": 41}


# ---- what theirs writes -----------------------------------------------------------------------------------------------


def test_ours_accepts_a_folder_of_theirs(ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path) -> None:
    signature = model / "model.sig"
    theirs.sign(keys[0], model, signature)
    told = ours.verify(keys[1], model, signature).splitlines()
    assert told[0].startswith("signed digits ")
    assert sorted(line for line in told if line.startswith("unsigned ")) == [
        "unsigned .git/HEAD",
        "unsigned .gitignore",
        "unsigned model.sig",
    ]


def test_ours_accepts_a_single_file_of_theirs(ours: Ours, theirs: Theirs, keys: tuple[Path, Path], tmp_path: Path) -> None:
    path, signature = single_file(tmp_path), tmp_path / "alone.sig"
    theirs.sign(keys[0], path, signature)
    ours.verify(keys[1], path, signature)
    change_a_byte(path)
    with pytest.raises(Refused, match="differs from what was signed: \\."):
        ours.verify(keys[1], path, signature)


def test_ours_accepts_shards_of_theirs(ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path, tmp_path: Path) -> None:
    signature = tmp_path / "model.sig"
    theirs.sign_shards(keys[0], model, signature, 1000)
    told = ours.verify(keys[1], model, signature)
    assert "  model.onnx:6000:7000\n" in told
    change_a_byte(model)
    with pytest.raises(Refused, match="differs from what was signed: model.onnx:4000:5000"):
        ours.verify(keys[1], model, signature)


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=lambda alteration: alteration.__name__)
def test_ours_refuses_an_altered_model_of_theirs_and_names_the_file(
    ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path, alteration: Alteration
) -> None:
    theirs.sign(keys[0], model, model / "model.sig")
    alteration(model)
    with pytest.raises(Refused, match=ALTERATIONS[alteration]):
        ours.verify(keys[1], model, model / "model.sig")


@pytest.mark.parametrize("alteration", [change_payload, change_signature], ids=lambda alteration: alteration.__name__)
def test_ours_refuses_an_altered_signature_of_theirs(
    ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path, tmp_path: Path, alteration: Alteration
) -> None:
    signature = tmp_path / "model.sig"
    theirs.sign(keys[0], model, signature)
    alteration(signature)
    with pytest.raises(Refused, match="does not fit"):
        ours.verify(keys[1], model, signature)


def test_both_refuse_the_key_of_another(ours: Ours, theirs: Theirs, keys: tuple[Path, Path], model: Path, tmp_path: Path) -> None:
    stranger, public = tmp_path / "stranger.pem", tmp_path / "stranger.pub"
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", stranger)
    run("openssl", "ec", "-in", stranger, "-pubout", "-out", public)
    signature = tmp_path / "model.sig"
    for sign in (ours.sign, theirs.sign):
        sign(keys[0], model, signature)
        with pytest.raises(Refused, match="which is not among the 1 given"):
            ours.verify(public, model, signature)
        with pytest.raises(Refused, match="Key mismatch"):
            theirs.verify(public, model, signature)


# ---- of a running installation ----


def test_theirs_accept_what_an_installation_signs(
    glasscase: Installation, models: Models, theirs: Theirs, unique: Callable[[str], str], model: Path, tmp_path: Path
) -> None:
    """A file and a folder, taken from the installation as published, with its signature and its key."""
    public, signature = tmp_path / "signing.pem", tmp_path / "model.sig"
    for path, kept in ((models.scale, []), (model, ["--kept"])):
        name, taken = unique("signed"), tmp_path / unique("taken")
        version = glasscase.cli("publish", str(path), "--name", name, *kept, json=True)["model"]["versions"][0]
        glasscase.cli("take", name, "--output", str(taken))
        glasscase.cli("signature", name, "--output", str(signature), "--public-key", str(public))
        theirs.verify(public, taken, signature)
        statement = sigstore_payload(public, signature)
        assert statement["predicateType"] == "https://model_signing/signature/v1.0"
        altered = next(p for p in ([taken] if taken.is_file() else sorted(taken.rglob("*.onnx"))))
        altered.chmod(0o600)
        altered.write_bytes(altered.read_bytes() + b"x")
        with pytest.raises(Refused):
            theirs.verify(public, taken, signature)
        glasscase.cli("signature", name, "--statement", "--output", str(tmp_path / "publish.json"))
        stated = sigstore_payload(public, tmp_path / "publish.json")
        assert stated["subject"][0]["name"] == f"urn:uuid:{version['id']}"


@p256_only
def test_an_installation_accepts_what_theirs_sign(
    glasscase: Installation, models: Models, theirs: Theirs, unique: Callable[[str], str], keys: tuple[Path, Path], tmp_path: Path
) -> None:
    signature, name = tmp_path / "model.sig", unique("theirs")
    theirs.sign(keys[0], models.scale, signature)
    words = ("--signature", str(signature), "--signer", str(keys[1]))
    refused = glasscase.cli("publish", str(models.scale_more), "--name", name, *words, check=False)
    assert (refused.returncode, "other files" in refused.stderr) == (1, True)
    glasscase.cli("publish", str(models.scale), "--name", name, *words)
