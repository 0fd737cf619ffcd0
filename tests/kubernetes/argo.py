"""Argo's workflow controller, as far as a step of the kind `resource` goes: a test plays it."""

from __future__ import annotations

import json
import threading
from typing import Any

import requests

from kubernetes.api import Api, ApiError, Object
from kubernetes.cluster import NAMESPACE

WORKFLOWS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/workflows"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


class Controller:
    """Makes the Job of each Workflow, as the Workflow's account, and tells how it ended. `seen`: the workflows' specs."""

    def __init__(self, api: Api, account: Api) -> None:
        self.api, self.account = api, account
        self.seen: dict[str, Object] = {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(10)

    def run(self) -> None:
        while not self.stopping.wait(0.1):
            try:
                for one in self.api.items(WORKFLOWS):
                    self.look_at(one)
            except (requests.RequestException, ApiError):
                continue

    def look_at(self, workflow: Object) -> None:
        metadata = workflow["metadata"]
        name, phase = metadata["name"], workflow.get("status", {}).get("phase")
        if "deletionTimestamp" in metadata or phase in ("Succeeded", "Failed", "Error"):
            return
        step = workflow["spec"]["templates"][0]["resource"]
        if name not in self.seen:
            self.seen[name] = workflow["spec"]
            job = json.loads(step["manifest"])
            job["metadata"]["ownerReferences"] = [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": name, "uid": metadata["uid"],
                "controller": True, "blockOwnerDeletion": True}]
            try:
                self.account.create(JOBS, job)
            except ApiError as error:
                self.tell(name, "Error", str(error))
                return
            self.tell(name, "Running")
        status: dict[str, Any] = self.api.get(f"{JOBS}/{name}").get("status", {})
        if status.get("succeeded", 0) > 0:
            self.tell(name, "Succeeded")
        elif status.get("failed", 0) > 0:
            self.tell(name, "Failed", "the condition status.failed > 0 holds")

    def tell(self, name: str, phase: str, message: str = "") -> None:
        self.api.patch(f"{WORKFLOWS}/{name}", {"status": {"phase": phase, "message": message}})
