"""`glasscase verify` and `glasscase witness`, without a server of ours."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from system.witnesses import init_witness, witnessing

Verify = Callable[..., "subprocess.CompletedProcess[str]"]
ORIGIN = "log.example/conformance"


@pytest.fixture(scope="module")
def made(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 1,000 acts, the receipt of a version in it, and that version's file."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "model.onnx").write_bytes(b"weights" * 1000)
    subprocess.run([programs / "make_log", folder, "acts", "1000", "64", folder / "model.onnx"], check=True, timeout=60)
    return folder


@pytest.fixture
def verify(programs: Path) -> Verify:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(programs / "glasscase"), "verify", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_a_receipt_and_its_file_hold(made: Path, verify: Verify) -> None:
    words = (made / "receipt.tlog-proof", "--policy", made / "policy", "--file", made / "model.onnx")
    told = verify(*words)
    assert told.returncode == 0, told.stderr
    assert "ada/digits" in told.stdout
    assert "not protected against the operator" in told.stdout
    answer = json.loads(verify(*words, "--json").stdout)
    assert answer["valid"] and answer["type"] == "version" and not answer["protected_against_operator"]
    assert answer["disclosed"]["name"] == "ada/digits"


def test_a_receipt_of_the_first_form_still_holds(made: Path, tmp_path: Path, verify: Verify) -> None:
    words = ("--policy", made / "policy", "--file", made / "model.onnx")
    told = verify(made / "receipt-form1.tlog-proof", *words)
    assert told.returncode == 0, told.stderr
    assert told.stdout == verify(made / "receipt.tlog-proof", *words).stdout
    altered = (made / "receipt-form1.tlog-proof").read_text().split("\n")
    extra = base64.b64decode(altered[1].removeprefix("extra ")).replace(b"ada/digits", b"eve/digits")
    altered[1] = "extra " + base64.b64encode(extra).decode()
    (tmp_path / "r.tlog-proof").write_text("\n".join(altered))
    told = verify(tmp_path / "r.tlog-proof", "--policy", made / "policy")
    assert told.returncode == 1
    assert "the field name is not what the entry in the log commits to" in told.stderr


def test_a_folder_of_one_file_is_that_file(made: Path, tmp_path: Path, verify: Verify) -> None:
    shutil.copy(made / "model.onnx", tmp_path)
    receipt = (made / "receipt.tlog-proof", "--policy", made / "policy")
    assert verify(*receipt, "--file", tmp_path).returncode == 0
    (tmp_path / "more.bin").write_bytes(b"x")
    assert verify(*receipt, "--file", tmp_path).returncode == 1


def test_one_altered_byte_of_the_file_is_refused(made: Path, tmp_path: Path, verify: Verify) -> None:
    altered = bytearray((made / "model.onnx").read_bytes())
    altered[1234] ^= 1
    (tmp_path / "model.onnx").write_bytes(altered)
    told = verify(made / "receipt.tlog-proof", "--policy", made / "policy", "--file", tmp_path / "model.onnx")
    assert told.returncode == 1
    assert "not what was registered" in told.stderr


def test_no_byte_of_a_receipt_can_be_altered(made: Path, tmp_path: Path, verify: Verify) -> None:
    receipt = (made / "receipt.tlog-proof").read_bytes()
    for offset in range(3, len(receipt), 61):
        altered = bytearray(receipt)
        altered[offset] ^= 1
        (tmp_path / "r.tlog-proof").write_bytes(altered)
        told = verify(tmp_path / "r.tlog-proof", "--policy", made / "policy")
        assert told.returncode == 1, (offset, told.stdout)
    (tmp_path / "r.tlog-proof").write_bytes(receipt[:-20])
    assert verify(tmp_path / "r.tlog-proof", "--policy", made / "policy").returncode == 1


def test_a_receipt_of_another_log_is_refused(made: Path, tmp_path: Path, verify: Verify) -> None:
    (tmp_path / "policy").write_text("log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\nquorum none\n")
    told = verify(made / "receipt.tlog-proof", "--policy", tmp_path / "policy")
    assert told.returncode == 1
    assert "not signed by a log of the policy" in told.stderr


def test_a_log_is_replayed_and_sampled(made: Path, tmp_path: Path, verify: Verify) -> None:
    told = verify(made / "log", "--policy", made / "policy", "--replay")
    assert told.returncode == 0, told.stderr
    assert "all 16 map roots computed anew" in told.stdout
    sampled = json.loads(verify(made / "log", "--policy", made / "policy", "--sample", "4", "--json").stdout)
    assert sampled["map_roots_checked"] == 4
    assert sampled["probability_of_missing_one_lie"] == 0.75
    shutil.copytree(made / "log", tmp_path / "log")
    bundle = tmp_path / "log" / "tile" / "entries" / "001"
    bundle.write_bytes(bundle.read_bytes().replace(b'"card"', b'"kard"', 1))
    told = verify(tmp_path / "log", "--policy", made / "policy", "--replay")
    assert told.returncode == 1
    assert "not those that the checkpoint was signed for" in told.stderr


def test_wrong_use(made: Path, verify: Verify) -> None:
    assert verify(made / "receipt.tlog-proof").returncode == 2
    assert verify(made / "log", "--policy", made / "policy").returncode == 2
    assert verify(made / "log", "--policy", made / "policy", "--replay", "--file", made / "policy").returncode == 2
    assert verify(made / "absent", "--policy", made / "policy").returncode == 1


def test_a_witness_protects_against_the_operator(programs: Path, made: Path, tmp_path: Path, verify: Verify) -> None:
    vkey = init_witness(programs, tmp_path / "w")
    log_vkey = (made / "vkey").read_text()
    receipt = (made / "receipt.tlog-proof").read_text()
    head, body, signatures = receipt.split("\n\n")
    checkpoint = f"{body}\n\n{signatures}"
    policy = tmp_path / "policy"
    policy.write_text(f"log {log_vkey}\nwitness w {vkey}\nquorum w\n")
    told = verify(made / "receipt.tlog-proof", "--policy", policy)
    assert told.returncode == 1
    assert "too few witnesses" in told.stderr

    with witnessing(programs, tmp_path / "w", log_vkey) as witness:
        answer = witness.add(f"old 0\n\n{checkpoint}".encode())
        assert answer.status_code == 200
    (tmp_path / "r.tlog-proof").write_text(f"{head}\n\n{checkpoint}{answer.text}")
    told = verify(tmp_path / "r.tlog-proof", "--policy", policy)
    assert told.returncode == 0, told.stderr
    assert "seen by w" in told.stdout and "not protected" not in told.stdout

    # Started again it remembers: the same size is signed again, a start from nothing is not.
    with witnessing(programs, tmp_path / "w", log_vkey) as witness:
        assert witness.latest(ORIGIN).status_code == 200
        conflict = witness.add(f"old 0\n\n{checkpoint}".encode())
        assert (conflict.status_code, conflict.text) == (409, "1016\n")
        assert conflict.headers["Content-Type"] == "text/x.tlog.size"
        assert witness.add(f"old 1016\n\n{checkpoint}".encode()).status_code == 200
        second = [str(programs / "glasscase-witness"), "--data", str(tmp_path / "w"), "--log", log_vkey]
        assert subprocess.run(second, capture_output=True, timeout=20, check=False).returncode == 1


def test_a_witness_key_is_made_once(programs: Path, tmp_path: Path) -> None:
    init_witness(programs, tmp_path / "w")
    key = (tmp_path / "w" / "key").read_bytes()
    with pytest.raises(subprocess.CalledProcessError):
        init_witness(programs, tmp_path / "w")
    assert (tmp_path / "w" / "key").read_bytes() == key
    assert (tmp_path / "w" / "key").stat().st_mode & 0o777 == 0o600


def test_a_serving_witness_has_given_up_its_rights(programs: Path, made: Path, tmp_path: Path) -> None:
    init_witness(programs, tmp_path / "w")
    with witnessing(programs, tmp_path / "w", (made / "vkey").read_text()) as witness:
        status = Path(f"/proc/{witness.process.pid}/status").read_text().split("\n")
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
