"""Assets as their owner and others meet them: searched, described, drawn with their lineage, hidden and erased."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running, wait_until
from system.models import Models

Make = Callable[..., Installation]


def add(glasscase: Installation, folder: Path, name: str, *words: str) -> dict[str, Any]:
    """A dataset of one small file of its own."""
    path = folder / f"{name}.csv"
    path.write_text(name)
    answer: dict[str, Any] = glasscase.cli("dataset", "add", str(path), "--name", name, *words, json=True)
    return answer


def names(assets: list[dict[str, Any]]) -> list[str]:
    return [a["name"].split("/")[1] for a in assets]


@pytest.fixture(scope="module")
def stocked(programs: Path, tmp_path_factory: pytest.TempPathFactory, models: Models) -> Iterator[Installation]:
    """digits-data <- base <- tuned, and another dataset; ada was granted `tuned` alone."""
    folder = tmp_path_factory.mktemp("assets")
    with running(programs, folder) as glasscase:
        stock(glasscase, folder, models)
        yield glasscase


def stock(glasscase: Installation, folder: Path, models: Models) -> None:
    add(glasscase, folder, "digits-data", "--tag", "Images", "--licence", "CC0-1.0", "--field", "rows=1797")
    add(glasscase, folder, "holdout")
    glasscase.publish(models.scale, "base", "--trained-on", "digits-data", "--tested-on", "holdout")
    glasscase.publish(models.scale_more, "tuned", "--derived-from", "base", "--trained-on", "digits-data", "--field", "accuracy=0.97")
    glasscase.cli("subject", "add", "ada")
    glasscase.cli("grant", "ada", "predict", "tuned")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ["digits-data", "holdout", "base", "tuned"]),
        (["GITS"], ["digits-data"]),
        (["--tag", "images"], ["digits-data"]),
        (["--licence", "cc0-1.0"], ["digits-data"]),
        (["--kind", "model"], ["base", "tuned"]),
        (["--media-type", "text/csv"], ["digits-data", "holdout"]),
        (["--field", "rows=1797"], ["digits-data"]),
        (["--field", "Accuracy=0.97"], ["tuned"]),
        (["--digest", hashlib.sha256(b"holdout").hexdigest()], ["holdout"]),
        (["--ancestor", "digits-data"], ["base", "tuned"]),
        (["--ancestor", "holdout@1"], ["base", "tuned"]),
        (["--ancestor", "base"], ["tuned"]),
        (["--ancestor", "tuned"], []),
        (["--kind", "dataset", "--tag", "nothing"], []),
    ],
)
def test_search_finds_by_every_condition(stocked: Installation, words: list[str], found: list[str]) -> None:
    assert names(stocked.cli("search", *words, json=True)) == found


def test_lists_take_the_same_conditions_and_page(stocked: Installation) -> None:
    assert names(stocked.cli("list", "datasets", "--name", "digits", json=True)) == ["digits-data"]
    first = stocked.cli("list", "models", "--limit", "1", json=True)
    assert names(first) == ["base"]
    assert names(stocked.cli("list", "models", "--after", first[0]["id"], json=True)) == ["tuned"]
    table = stocked.cli("search", "--limit", "2")
    assert table.stdout.splitlines()[0].split() == ["NAME", "KIND", "DEFAULT", "VERSIONS", "ID"]
    assert f"--after {stocked.cli('show', 'holdout', json=True)['id']}" in table.stderr


def test_wrong_conditions_are_refused(stocked: Installation) -> None:
    for words in (["--digest", "12"], ["--field", "rows"], ["--after", "x"], ["--ancestor", "nothing"]):
        assert stocked.cli("search", *words, check=False).returncode == 1, words
    assert stocked.cli("search", "--kind", "song", check=False).returncode == 2
    answer = stocked.request("GET", "/glasscase/v1/models?colour=red")
    assert (answer.status_code, "colour" in answer.text) == (400, True)


def test_others_find_what_they_were_granted(stocked: Installation) -> None:
    token = stocked.cli("token", "create", "ada", json=True)["token"]
    assert names(stocked.cli("search", json=True, token=token)) == ["tuned"]
    assert stocked.cli("search", "--digest", hashlib.sha256(b"holdout").hexdigest(), json=True, token=token) == []


def test_the_lineage_is_drawn_both_ways(stocked: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    shown = stocked.cli("lineage", "base")
    assert shown.stdout == (
        "made from\n"
        "+- trained on owner/digits-data@1 (claimed)\n"
        "`- tested on owner/holdout@1 (claimed)\n"
        "made from it\n"
        "`- owner/tuned@1, derived from it (claimed)\n"
    )
    tree = stocked.cli("show", "tuned").stdout
    assert "+- derived from owner/base@1 (claimed)\n|  +- trained on owner/digits-data@1 (claimed)\n" in tree
    assert "`- trained on owner/digits-data@1 (claimed)\n" in tree
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert "├─ trained on owner/digits-data@1 (claimed)\n└─ tested on" in stocked.cli("show", "base").stdout


def test_what_one_may_not_see_is_a_uuid_in_the_lineage(stocked: Installation) -> None:
    token = stocked.cli("token", "create", "ada", json=True)["token"]
    base = stocked.cli("show", "base", json=True)["versions"][0]["id"]
    drawn = stocked.cli("lineage", "owner/tuned", token=token).stdout
    assert f"derived from {base} (claimed)" in drawn
    assert "base@1" not in drawn
    assert "holdout" not in drawn


def test_nothing_is_made_from_itself(stocked: Installation, models: Models) -> None:
    refused = stocked.cli("publish", str(models.scale), "--name", "base", "--version", "1", "--derived-from", "base@1", check=False)
    assert (refused.returncode, "made from itself" in refused.stderr) == (1, True)


def entry_types(glasscase: Installation, name: str) -> list[str]:
    return [json.loads(row["entry"])["type"] for row in glasscase.cli("history", name, json=True)["entries"]]


def test_cards_and_details_change_with_an_entry_and_versions_stay(
    glasscase: Installation, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("described")
    published = tmp_path / "published.md"
    published.write_text("# As published\n")
    before = add(glasscase, tmp_path, name, "--card", str(published))["model"]["versions"][0]
    card = tmp_path / "card.md"
    card.write_text("# Über\n")
    glasscase.cli("card", "set", name, str(card))
    glasscase.cli("edit", name, "--tag", "small", "--licence", "MIT", "--field", "site=north")
    glasscase.cli("edit", name, "--tag", "small")
    shown = glasscase.cli("show", name, json=True)
    assert (shown["card"], shown["tags"], shown["licence"]) == ("# Über\n", ["small"], "MIT")
    assert shown["fields"] == [{"key": "site", "value": "north"}]
    assert shown["versions"][0]["sha256"] == before["sha256"]
    assert entry_types(glasscase, name) == ["registered", "version", "card", "card"]
    text = glasscase.cli("show", name).stdout
    assert "site=north" in text and "# Über" in text
    glasscase.cli("card", "remove", name)
    glasscase.cli("edit", name, "--untag", "small", "--unfield", "site", "--no-licence")
    shown = glasscase.cli("show", name, json=True)
    assert (shown["card"], shown["tags"], shown["fields"], shown["licence"]) == ("# As published\n", [], [], "")


def test_what_cannot_be_said_is_refused(glasscase: Installation, unique: Callable[[str], str], tmp_path: Path) -> None:
    name = unique("described")
    add(glasscase, tmp_path, name)
    large = tmp_path / "large.md"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    refused = glasscase.cli("card", "set", name, str(large), check=False)
    assert (refused.returncode, "256 KiB" in refused.stderr) == (1, True)
    answer = glasscase.request("POST", f"/glasscase/v1/models/{name}/edit", control=True, data=b'{"card": "' + b"x" * 100_000_000 + b'"}')
    assert answer.status_code == 413
    answer = glasscase.request("POST", f"/glasscase/v1/models/{name}/edit", control=True, json={"card": "x" * 300_000})
    assert (answer.status_code, "256 KiB" in answer.text) == (400, True)
    for words in (["--tag", "a\x1b[31m"], ["--tag", "a\nb"], ["--field", "a=b\x07"], ["--untag", "none"]):
        refused = glasscase.cli("edit", name, *words, check=False)
        assert refused.returncode == 1, words
        assert "\x1b" not in refused.stderr
    assert glasscase.cli("edit", name, "--field", "novalue", check=False).returncode == 2
    assert glasscase.cli("edit", name, check=False).returncode == 2
    assert glasscase.cli("edit", f"{name}@1", "--tag", "x", check=False).returncode == 2
    path = tmp_path / f"{name}.csv"
    refused = glasscase.cli("dataset", "add", str(path), "--name", unique("x"), "--tag", "a\tb", check=False)
    assert (refused.returncode, "control characters" in refused.stderr) == (1, True)
    assert entry_types(glasscase, name) == ["registered", "version"]


def altered(glasscase: Installation, change: str) -> tuple[str, str]:
    """Alters the stopped catalog. Returns the tags and the licence that were there."""
    database = sqlite3.connect(glasscase.data / "catalog.db")
    tags, licence = database.execute("SELECT tags, licence FROM models").fetchone()
    database.execute(change)
    database.commit()
    database.close()
    return str(tags), str(licence)


def test_fsck_finds_details_that_no_entry_speaks_of(fresh_glasscase: Make, tmp_path: Path) -> None:
    glasscase = fresh_glasscase()
    asset = add(glasscase, tmp_path, "data", "--tag", "small", "--field", "rows=5")["model"]["id"]
    wait_until("the entries are published", lambda: "version" in entry_types(glasscase, "data"))
    assert glasscase.stop() == 0
    assert glasscase.cli("fsck", "--data", str(glasscase.data), check=False).returncode == 0
    for change in ("UPDATE models SET tags = 'large\n'", "UPDATE models SET licence = 'MIT'", "UPDATE models SET tags = ''"):
        kept, licence = altered(glasscase, change)
        found = glasscase.cli("fsck", "--data", str(glasscase.data), check=False)
        assert found.returncode == 1, change
        assert asset in found.stdout, change
        altered(glasscase, f"UPDATE models SET tags = '{kept}', licence = '{licence}'")


def test_a_retired_dataset_is_hidden_from_others_and_an_erased_one_leaves_its_commitment(
    glasscase: Installation, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name, ada = unique("hidden"), unique("ada")
    answer = add(glasscase, tmp_path, name)
    glasscase.cli("subject", "add", ada)
    token = glasscase.cli("token", "create", ada, json=True)["token"]
    glasscase.cli("grant", ada, "take", f"{name}@1")
    assert names(glasscase.cli("list", "datasets", json=True, token=token)) == [name]
    glasscase.cli("retire", f"{name}@1")
    assert glasscase.cli("search", json=True, token=token) == []
    assert glasscase.cli("take", f"owner/{name}@1", "--output", str(tmp_path / "out"), token=token, check=False).returncode == 1
    assert "(retired)" in glasscase.cli("list", "datasets", "--name", name).stdout
    glasscase.cli("erase", f"{name}@1", "--yes")
    sha256 = answer["model"]["versions"][0]["sha256"]
    assert not (glasscase.data / "blobs" / "sha256" / sha256[:2] / sha256).exists()
    assert entry_types(glasscase, name) == ["registered", "version", "grant", "retired", "erased"]
    assert "(erased)" in glasscase.cli("list", "datasets", "--name", name).stdout
