"""The contract of executors against a real API server and a real controller of Jobs; the node is played.

What the contract asks of the node alone (which files are seen, no network, refused system calls, size of /tmp, number of
processes) is not run: it would test the test's own node.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kubernetes.argo import Controller
from kubernetes.cluster import CLAIM, NAMESPACE, describe, in_folder
from kubernetes.conftest import World

CONTRACT = [
    "IsThere", "AProgramReadsItsInputsAndLeavesResults", "AFailureSaysHow", "AProgramThatIsNotThereIsSaid",
    "ASandboxThatCannotBeMadeIsNotTheProgramsFault", "MemoryOfAllTogetherIsLimited", "ResultsAreLimitedInNumber",
    "TimeIsLimitedForThoseToWhomSigtermMeansNothing", "ACancelledJobIsGone", "NothingOutlivesAJob",
    "AFloodOfOutputIsCountedAndDropped", "JobsRunBesideEachOther", "WhatHeldItIsSaidWithItsValuesAndWhatDidNot",
]
OWN = [
    "ResultsWithANameAreLimitedInBytes", "CommandsAndVariablesComeAsTheyAre", "TheRecordSaysWhatWasHeldAndWhatWasNot",
    "AnImageThatTheRegistryDoesNotHaveIsTheOwnersFault", "AnImageThatDoesNotComeIsOurs", "OtherRegistriesAndTagsAreRefused",
    "AJobForWhichThereIsNoRoomIsGivenBackInTheSchedulersWords",
    "WhatTheServerDoesNotTakeIsSaidInItsWords", "AServerThatDoesNotKnowUsIsSaid",
]
BY_WORKFLOW = ["IsThere", "AProgramReadsItsInputsAndLeavesResults", "AFailureSaysHow", "ACancelledJobIsGone",
               "JobsRunBesideEachOther", "TimeIsLimitedForThoseToWhomSigtermMeansNothing"]


def run_case(world: World, program: Path, case: str, kind: str) -> None:
    world.renew_token()
    folder = in_folder(world.cluster.files, 0o777, 0)
    environment = os.environ | {
        "TMPDIR": str(folder), "GC_KUBERNETES_URL": world.cluster.url,
        "GC_KUBERNETES_CA": str(world.cluster.authority.certificate), "GC_KUBERNETES_TOKEN": str(world.token),
        "GC_KUBERNETES_NAMESPACE": NAMESPACE, "GC_KUBERNETES_CLAIM": CLAIM, "GC_KUBERNETES_OBJECT": kind}
    done = subprocess.run([program, f"--gtest_filter=*.{case}/0"], env=environment, capture_output=True, text=True,
                          check=False, timeout=100)
    assert done.returncode == 0 and "1 test from 1 test suite ran" in done.stdout, done.stdout[-5000:] + done.stderr[-3000:]
    left = world.cluster.jobs() + world.cluster.pods()
    assert left == [], describe(left)


@pytest.mark.parametrize("case", CONTRACT + OWN)
def test_the_contract_by_jobs(world: World, contract_program: Path, case: str) -> None:
    run_case(world, contract_program, case, "job")


@pytest.mark.parametrize("case", BY_WORKFLOW)
def test_the_contract_by_workflows(world: World, argo: Controller, contract_program: Path, case: str) -> None:
    before = len(argo.seen)
    run_case(world, contract_program, case, "workflow")
    assert world.cluster.objects("argoproj.io/v1alpha1", "workflows") == []
    assert case == "IsThere" or len(argo.seen) > before
