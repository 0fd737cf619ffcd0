"""Fixtures for tests of the real programs, which lie in $GLASSCASE_BIN (build/release/bin when not set)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running
from system.models import Models, make_models
from system.runners import readable_runners

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of the programs."""
    folder = Path(os.environ.get("GLASSCASE_BIN", ROOT / "build" / "release" / "bin")).resolve()
    if not (folder / "glasscase").exists():
        pytest.fail(f"there is no glasscase in {folder}: run `make build`, or set GLASSCASE_BIN")
    return folder


@pytest.fixture(scope="session")
def runners() -> Iterator[Path]:
    """The folder of the runners, where the worker's user may read it."""
    with readable_runners("scikit-learn") as folder:
        yield folder


@pytest.fixture(scope="session")
def models() -> Models:
    """Trained and drawn once, kept in the temporary directory between runs."""
    return make_models()


@pytest.fixture(scope="session")
def glasscase(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One running installation for all tests that leave it as usable as they found it."""
    with running(programs, tmp_path_factory.mktemp("glasscase")) as installation:
        yield installation


@pytest.fixture
def fresh_glasscase(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Installation]]:
    """Makes running installations of the test's own; arguments are those of Installation."""
    with ExitStack() as stack:

        def start(**arguments: Any) -> Installation:
            return stack.enter_context(running(programs, tmp_path_factory.mktemp("fresh"), **arguments))

        yield start


@pytest.fixture(scope="session")
def unique() -> Callable[[str], str]:
    """Names that no other test of the session uses: unique("ada") is "ada-1", "ada-2", ..."""
    counter = itertools.count(1)
    return lambda stem: f"{stem}-{next(counter)}"


@pytest.fixture(scope="session")
def digits(glasscase: Installation, models: Models) -> str:
    """The full name of the digits model, published on the shared installation."""
    return str(glasscase.publish(models.digits, "digits")["model"]["name"])
