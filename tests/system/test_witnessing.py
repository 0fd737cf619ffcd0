"""Witnesses sign the log's checkpoints, receipts carry it, and an old state that was put back is found out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from system.installation import Installation, wait_until
from system.models import Models
from system.witnesses import RunningWitness, init_witness, witnessing


def with_witnesses(
    stack: ExitStack, glasscase: Installation, folder: Path, names: list[str], needed: int
) -> list[RunningWitness]:
    """Starts witnesses, writes them into the installation's policy, and starts it again."""
    assert glasscase.stop() == 0
    policy = glasscase.data / "ledger-policy"
    log = next(line for line in policy.read_text().splitlines() if line.startswith("log "))
    vkey = log.split()[1]
    running = []
    lines = [log]
    for name in names:
        init_witness(glasscase.programs, folder / name, f"{name}.example")
        witness = stack.enter_context(witnessing(glasscase.programs, folder / name, vkey, killed=True))
        lines.append(f"witness {name} {witness.vkey} {witness.url}")
        running.append(witness)
    lines += [f"group enough {needed} {' '.join(names)}", "quorum enough"]
    policy.write_text("\n".join(lines) + "\n")
    glasscase.start()
    return running


def test_receipts_carry_the_signatures_of_a_quorum(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    with ExitStack() as stack:
        witnesses = with_witnesses(stack, glasscase, tmp_path, ["north", "south", "east"], 2)
        witnesses[2].process.kill()
        glasscase.publish(models.digits, "digits")
        wait_until("the checkpoint is cosigned", lambda: (
            lambda status: status["cosigned_size"] == status["ledger_size"] > 0 and not status["witness_trouble"]
        )(glasscase.cli("status", json=True)))
        receipt = tmp_path / "digits.tlog-proof"
        glasscase.cli("receipt", "digits", "--output", str(receipt))
        policy = glasscase.data / "ledger-policy"
        said = glasscase.cli("verify", str(receipt), "--policy", str(policy)).stdout
        assert "not protected against the operator" not in said
        checkpoint = glasscase.request("GET", "/log/checkpoint", token="").text
        assert "north.example" in checkpoint and "south.example" in checkpoint
        # The same receipt does not satisfy who wants all three.
        stricter = tmp_path / "stricter"
        stricter.write_text(policy.read_text().replace("group enough 2", "group enough 3"))
        assert glasscase.cli("verify", str(receipt), "--policy", str(stricter), check=False).returncode == 1


def test_acts_say_whether_they_are_cosigned(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()

    def state(model: str) -> str:
        return str(glasscase.cli("show", model, json=True)["ledger_state"])

    with ExitStack() as stack:
        witnesses = with_witnesses(stack, glasscase, tmp_path, ["north", "south"], 2)
        published = glasscase.publish(models.digits, "digits")
        assert published["model"]["versions"][0]["ledger_state"] in {"pending", "in_checkpoint"}
        wait_until("the quorum has signed", lambda: state("digits") == "cosigned")
        # One of two is no quorum: what was signed before stays so, and what comes is in a checkpoint only.
        witnesses[1].process.kill()
        glasscase.learner("ada", "digits")
        wait_until("south is missed", lambda: "south" in glasscase.cli("status", json=True)["witness_trouble"])
        wait_until("the grant is in a checkpoint", lambda: state("digits") == "in_checkpoint")
        entries = glasscase.cli("history", "digits", json=True)["entries"]
        assert [entry["ledger_state"] for entry in entries] == ["cosigned", "cosigned", "in_checkpoint"]
        shown = glasscase.cli("history", "digits").stdout
        assert "in a cosigned checkpoint" in shown and "in a checkpoint" in shown
        assert glasscase.cli("show", "digits", json=True)["versions"][0]["ledger_state"] == "cosigned"
        assert glasscase.cli("list", "grants", json=True)[0]["ledger_state"] == "in_checkpoint"
        status = glasscase.cli("status", json=True)
        assert status["cosigned_size"] < status["ledger_size"]


def test_calls_and_acts_go_on_without_witnesses(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    with ExitStack() as stack:
        witnesses = with_witnesses(stack, glasscase, tmp_path, ["north"], 1)
        witnesses[0].process.kill()
        glasscase.publish(models.digits, "digits")
        assert glasscase.infer("digits", models.digit_body()).status_code == 200
        wait_until("the status says so",
                   lambda: "witness north" in glasscase.cli("status", json=True)["witness_trouble"])
        receipt = tmp_path / "digits.tlog-proof"
        glasscase.cli("receipt", "digits", "--output", str(receipt))
        refused = glasscase.cli("verify", str(receipt), "--policy", str(glasscase.data / "ledger-policy"), check=False)
        assert refused.returncode == 1 and "north" in refused.stderr


def test_an_old_state_that_was_put_back_is_not_signed_on(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    with ExitStack() as stack:
        with_witnesses(stack, glasscase, tmp_path, ["north"], 1)
        wait_until("cosigned", lambda: not glasscase.cli("status", json=True)["witness_trouble"])
        assert glasscase.stop() == 0
        shutil.copytree(glasscase.data, tmp_path / "old")
        glasscase.start()
        glasscase.publish(models.digits, "digits")
        wait_until("cosigned", lambda: (
            lambda status: status["cosigned_size"] == status["ledger_size"] > 0)(glasscase.cli("status", json=True)))
        newest = glasscase.request("GET", "/log/checkpoint", token="").text
        assert glasscase.stop() == 0
        shutil.rmtree(glasscase.data)
        shutil.copytree(tmp_path / "old", glasscase.data)
        glasscase.start()
        wait_until("it is noticed", lambda: "Nothing is signed" in glasscase.cli("status", json=True)["ledger_trouble"])
        glasscase.cli("subject", "add", "ada")
        glasscase.publish(models.digits, "other")
        now = glasscase.request("GET", "/log/checkpoint", token="").text
        assert int(now.splitlines()[1]) < int(newest.splitlines()[1])
