"""The API server, as an administrator speaks to it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import requests

from kubernetes.certificates import Pair

Object = dict[str, Any]


class ApiError(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status


class Api:
    """Any thread."""

    def __init__(self, url: str, ca: Path, identity: Pair | None = None, token: str = "") -> None:
        self.url, self.ca, self.identity, self.token = url, ca, identity, token
        self.local = threading.local()

    def session(self) -> requests.Session:
        found: requests.Session | None = getattr(self.local, "session", None)
        if found is None:
            found = requests.Session()
            found.trust_env = False
            found.verify = str(self.ca)
            if self.identity:
                found.cert = (str(self.identity.certificate), str(self.identity.key))
            if self.token:
                found.headers["Authorization"] = f"Bearer {self.token}"
            self.local.session = found
        return found

    def ask(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Object:
        answer = self.session().request(method, self.url + path, json=body, timeout=20,
                                        headers={"Content-Type": kind} if body is not None else {})
        if not answer.ok:
            raise ApiError(answer.status_code, answer.text[:600])
        found: Object = answer.json()
        return found

    def get(self, path: str) -> Object:
        return self.ask("GET", path)

    def items(self, path: str) -> list[Object]:
        return list(self.get(path)["items"])

    def create(self, path: str, body: Object) -> Object:
        return self.ask("POST", path, body)

    def patch(self, path: str, body: Object) -> Object:
        return self.ask("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path: str, **options: Any) -> None:
        self.ask("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions"} | options)
