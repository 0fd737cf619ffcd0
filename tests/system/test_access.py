"""Who may do what: roles, tokens, grants, quotas, invitations; and what the refused learn from it."""

from __future__ import annotations

import json
import re
import string
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from system.installation import Installation, wait_until
from system.models import Models
from system.wire import Wire

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
SCALE_BODY: dict[str, Any] = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}


@pytest.fixture(scope="module")
def scale(glasscase: Installation, models: Models) -> str:
    """The full name of a small model."""
    return str(glasscase.publish(models.scale, "scale", "--version", "1")["model"]["name"])


def assert_problem(answer: requests.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["detail"] == problem["error"] != ""
    return problem


# ---- tokens ----


def test_tokens_have_a_prefix_enough_randomness_and_a_checksum(glasscase: Installation, unique: Callable[[str], str]) -> None:
    tokens = {glasscase.learner(unique("ada")) for _ in range(8)}
    assert len(tokens) == 8
    for token in tokens:
        assert re.fullmatch(r"gct_[0-9A-Za-z]{36}", token)
        checksum, text = zlib.crc32(token[4:34].encode()), ""
        for _ in range(6):
            checksum, digit = divmod(checksum, 62)
            text = BASE62[digit] + text
        alphabets = {text, text.swapcase()}  # which of upper and lower case comes first is not fixed here
        assert token[34:] in alphabets


def test_tokens_are_kept_nowhere(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    token = glasscase.learner(unique("ada"), scale)
    assert glasscase.infer(scale, SCALE_BODY, token).status_code == 200
    invitation = glasscase.cli("invite", unique("eve"), json=True)["invitation"]
    time.sleep(0.2)
    for path in [*glasscase.data.rglob("*"), glasscase.log]:
        if path.is_file():
            content = path.read_bytes()
            for secret in (token, invitation, glasscase.owner_token):
                assert secret.encode() not in content, path
                assert secret[4:34].encode() not in content, path


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: "", lambda t: t[:-1], lambda t: t + "0", lambda t: t[:-1] + ("0" if t[-1] != "0" else "1"),
        lambda t: "gci_" + t[4:], lambda t: "ghp_" + t[4:], lambda t: t[:10] + "é" + t[11:], lambda t: t[:20] + "%00" + t[23:],
        lambda t: "x" * 4000, lambda t: t.upper(),
    ],
)
def test_malformed_tokens_are_401(glasscase: Installation, damage: Callable[[str], str]) -> None:
    token = damage(glasscase.owner_token)
    for control, path in ((False, "/v2"), (True, "/glasscase/v1/whoami")):
        answer = glasscase.request("GET", path, "", control=control, headers={"Authorization": f"Bearer {token}".encode()})
        assert_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["Basic YTpi", "bearer", "Bearer", "Token x", "Bearer a b"])
def test_other_schemes_are_401(glasscase: Installation, value: str) -> None:
    assert_problem(glasscase.request("GET", "/v2", "", headers={"Authorization": value}), 401)


def test_without_a_token_every_path_but_three_is_401(glasscase: Installation) -> None:
    for path in ("/v2", "/v2/", "/v2/models/x", "/nothing", "/glasscase/v1/whoami", "/v1/models", "/metrics", "/../etc/passwd",
                 "/v2/health/live/x", "/%2e%2e/", "/v2/repository/index"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            for control in (False, True):
                answer = glasscase.request(method, path, "", control=control)
                assert answer.status_code == 401, (method, path, control, answer.text)
    for path in ("/", "/v2/health/live", "/v2/health/ready"):
        assert glasscase.request("GET", path, "").status_code == 200
    assert glasscase.request("GET", "/v2/health/live", "").json() == {"live": True}
    assert glasscase.request("GET", "/v2/health/ready", "").json() == {"ready": True}


def test_expired_tokens_and_grants_end_by_themselves(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    name = unique("ada")
    glasscase.cli("subject", "add", name)
    glasscase.cli("grant", name, "predict", scale, "--expires", "3s")
    short = glasscase.cli("token", "create", name, "--expires", "2s", json=True)
    long = glasscase.cli("token", "create", name, json=True)["token"]
    assert short["expires_at"]
    assert glasscase.infer(scale, SCALE_BODY, short["token"]).status_code == 200
    wait_until("the token has expired", lambda: glasscase.infer(scale, SCALE_BODY, short["token"]).status_code == 401, 5)
    wait_until("the grant has expired", lambda: glasscase.infer(scale, SCALE_BODY, long).status_code == 404, 5)
    states = {t["id"]: t["state"] for t in glasscase.cli("list", "tokens", "--subject", name, json=True)}
    assert states[short["id"]] == "expired"
    assert [g["state"] for g in glasscase.cli("list", "grants", "--subject", name, json=True)] == ["expired"]


def test_a_token_of_another_installation_is_unknown_here(
    glasscase: Installation, fresh_glasscase: Callable[..., Installation]
) -> None:
    other = fresh_glasscase()
    assert_problem(glasscase.request("GET", "/v2", other.owner_token), 401)
    assert_problem(other.request("GET", "/glasscase/v1/status", glasscase.owner_token, control=True), 401)


def test_revocation_is_in_force_with_its_answer(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    name = unique("ada")
    token = glasscase.learner(name, scale)
    with requests.Session() as session:  # a connection that was used before counts no more than a new one
        session.headers["Authorization"] = f"Bearer {token}"
        url = f"{glasscase.url}/v2/models/{scale.replace('/', '%2F')}/infer"
        assert session.post(url, json=SCALE_BODY).status_code == 200
        (grant,) = glasscase.cli("list", "grants", "--subject", name, json=True)
        answer = glasscase.cli("revoke", "grant", grant["id"], json=True)
        assert session.post(url, json=SCALE_BODY).status_code == 404
        assert answer["grants"] == 1
        assert 0 <= answer["acknowledged_ms"] < 250
        glasscase.cli("grant", name, "predict", scale)
        assert session.post(url, json=SCALE_BODY).status_code == 200
        (listed,) = glasscase.cli("list", "tokens", "--subject", name, json=True)
        assert glasscase.cli("revoke", "token", listed["id"], json=True)["tokens"] == 1
        assert session.post(url, json=SCALE_BODY).status_code == 401
    assert glasscase.cli("revoke", "token", listed["id"]).returncode == 0  # safe to repeat


def test_all_of_a_subject_is_withdrawn_at_once(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    name = unique("ada")
    tokens = [glasscase.learner(name, scale), glasscase.cli("token", "create", name, json=True)["token"]]
    invitation = glasscase.cli("invite", name, json=True)["invitation"]
    answer = glasscase.cli("revoke", "subject", name, json=True)
    assert (answer["tokens"], answer["grants"], answer["invitations"]) == (2, 1, 1)
    for token in tokens:
        assert_problem(glasscase.infer(scale, SCALE_BODY, token), 401)
    assert_problem(glasscase.request("POST", "/glasscase/v1/invitations/redeem", invitation), 401)
    assert name in {s["name"] for s in glasscase.cli("list", "subjects", json=True)}


def test_rotation_replaces_the_token_and_keeps_its_expiry(glasscase: Installation, unique: Callable[[str], str]) -> None:
    name = unique("ada")
    glasscase.cli("subject", "add", name)
    old = glasscase.cli("token", "create", name, "--expires", "5h", json=True)
    new = glasscase.cli("token", "rotate", token=old["token"], json=True)
    assert new["token"] != old["token"]
    assert new["expires_at"] == old["expires_at"]
    assert_problem(glasscase.request("GET", "/v2", old["token"]), 401)
    assert glasscase.request("GET", "/v2", new["token"]).status_code == 200
    assert_problem(glasscase.request("POST", "/glasscase/v1/tokens/rotate", old["token"]), 401)


def test_rotation_writes_the_profile(fresh_glasscase: Callable[..., Installation]) -> None:
    glasscase = fresh_glasscase()
    old = glasscase.owner_token
    assert old not in glasscase.cli("token", "rotate").stdout
    assert glasscase.owner_token != old
    assert glasscase.cli("whoami", json=True)["subject"]["roles"] == ["operator", "owner"]
    assert glasscase.cli("whoami", token=old, check=False).returncode == 1


def test_last_use_is_shown(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    name = unique("ada")
    token = glasscase.learner(name, scale)

    def last_use() -> str:
        (listed,) = glasscase.cli("list", "tokens", "--subject", name, json=True)
        assert listed["hint"] == token[-4:]
        return str(listed["last_used_at"])

    assert last_use() == ""
    assert glasscase.infer(scale, SCALE_BODY, token).status_code == 200
    wait_until("last use is known", lambda: last_use() != "", 15)


# ---- invitations ----


def test_an_invitation_works_once(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    name = unique("ada")
    made = glasscase.cli("invite", name, "--token-expires", "1h", json=True)
    glasscase.cli("grant", name, "predict", scale)
    invitation = made["invitation"]
    assert re.fullmatch(r"gci_[0-9A-Za-z]{36}", invitation)
    assert_problem(glasscase.request("GET", "/v2", invitation), 401)  # it is no token
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(
            lambda _: glasscase.request("POST", "/glasscase/v1/invitations/redeem", invitation), range(8)))
    assert sorted(a.status_code for a in answers) == [201] + [401] * 7
    token = next(a for a in answers if a.status_code == 201).json()
    assert token["expires_at"]
    assert glasscase.infer(scale, SCALE_BODY, token["token"]).status_code == 200
    assert_problem(glasscase.request("POST", "/glasscase/v1/invitations/redeem", token["token"]), 401)


def test_an_invitation_expires(glasscase: Installation, unique: Callable[[str], str]) -> None:
    invitation = glasscase.cli("invite", unique("ada"), "--expires", "1s", json=True)["invitation"]
    time.sleep(1.5)
    assert_problem(glasscase.request("POST", "/glasscase/v1/invitations/redeem", invitation), 401)


def test_login_makes_a_profile_that_works(
    glasscase: Installation, scale: str, unique: Callable[[str], str], tmp_path: Any
) -> None:
    import shlex
    import subprocess

    name = unique("ada")
    glasscase.cli("grant", name, "predict", scale, check=False)
    line = glasscase.cli("invite", name).stdout.strip()
    glasscase.cli("grant", name, "predict", scale)
    environment = glasscase.environment() | {"XDG_CONFIG_HOME": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([glasscase.programs / "glasscase", *words], env=environment, capture_output=True, text=True, check=False)

    done = run(*shlex.split(line)[1:])
    assert done.returncode == 0, done.stderr
    assert scale in run("list", "models").stdout
    again = run(*shlex.split(line)[1:])
    assert again.returncode == 1
    assert run("whoami").returncode == 0  # the failed login left the profile as it was
    refused = run("list", "grants")
    assert refused.returncode == 1


# ---- roles and objects ----

OWNER_ACTS: list[tuple[str, str, Any]] = [
    ("GET", "/glasscase/v1/subjects", None), ("POST", "/glasscase/v1/subjects", {"name": "x"}),
    ("DELETE", "/glasscase/v1/subjects/x", None), ("GET", "/glasscase/v1/tokens", None),
    ("POST", "/glasscase/v1/tokens", {"subject": "x"}), ("DELETE", "/glasscase/v1/tokens/x", None),
    ("POST", "/glasscase/v1/invitations", {"subject": "x"}), ("GET", "/glasscase/v1/grants", None),
    ("POST", "/glasscase/v1/grants", {"subject": "x", "action": "predict", "model": "x"}),
    ("DELETE", "/glasscase/v1/grants/x", None), ("POST", "/glasscase/v1/uploads", None),
    ("GET", "/glasscase/v1/uploads", None), ("GET", "/glasscase/v1/uploads/x", None), ("OPTIONS", "/glasscase/v1/uploads", None),
    ("DELETE", "/glasscase/v1/uploads/x", None), ("PATCH", "/glasscase/v1/uploads/x", None),
    ("POST", "/glasscase/v1/models", {"files": [], "name": "x"}),
    ("PUT", "/glasscase/v1/models/x/default", {"version": "1"}), ("POST", "/glasscase/v1/models/x/versions/1/retire", {}),
    ("DELETE", "/glasscase/v1/models/x/versions/1", None),
]
OPERATOR_ACTS: list[tuple[str, str, Any]] = [("GET", "/glasscase/v1/status", None), ("POST", "/glasscase/v1/stop", {})]


def test_a_learner_may_do_no_control_act(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    token = glasscase.learner(unique("ada"), scale)
    for method, path, body in OWNER_ACTS + OPERATOR_ACTS:
        assert_problem(glasscase.request(method, path, token, control=True, json=body), 403)
    assert glasscase.request("GET", "/glasscase/v1/whoami", token, control=True).json()["subject"]["roles"] == ["learner"]


def test_control_acts_are_not_on_the_public_listener(glasscase: Installation) -> None:
    for method, path, body in OWNER_ACTS + OPERATOR_ACTS:
        answer = glasscase.request(method, path, json=body)
        assert answer.status_code in (403, 404, 405), (method, path, answer.text)
    for path in ("/v2/models/x/infer", "/glasscase/v1/tokens/rotate"):
        assert glasscase.request("POST", path, control=True, json={}).status_code in (403, 404, 405)


def test_an_owner_acts_on_their_own_only(glasscase: Installation, models: Models, scale: str, unique: Callable[[str], str]) -> None:
    name, learner = unique("grace"), unique("ada")
    glasscase.cli("subject", "add", name, "--role", "owner")
    token = glasscase.cli("token", "create", name, json=True)["token"]
    theirs = glasscase.cli("publish", str(models.scale), "--name", "scale", token=token, json=True)["model"]["name"]
    assert theirs == f"{name}/scale"
    glasscase.cli("subject", "add", learner)
    foreign = scale.replace("/", "%2F")
    for method, path, body in [
        ("PUT", f"/glasscase/v1/models/{foreign}/default", {"version": "1"}),
        ("POST", f"/glasscase/v1/models/{foreign}/versions/1/retire", {}),
        ("DELETE", f"/glasscase/v1/models/{foreign}/versions/1", None),
        ("POST", "/glasscase/v1/grants", {"subject": learner, "action": "predict", "model": scale}),
        ("GET", f"/glasscase/v1/models/{foreign}", None),
    ]:
        assert_problem(glasscase.request(method, path, token, control=True, json=body), 404)
    for method, path, body in OPERATOR_ACTS:
        assert_problem(glasscase.request(method, path, token, control=True, json=body), 403)
    grant = glasscase.cli("grant", learner, "predict", "scale", token=token, json=True)
    assert grant["model"] == theirs
    (other,) = glasscase.cli("list", "grants", "--model", theirs, json=True)
    assert other["id"] == grant["id"]
    foreign_grant = glasscase.cli("grant", learner, "predict", scale, json=True)
    assert glasscase.request("DELETE", f"/glasscase/v1/grants/{foreign_grant['id']}", token, control=True).status_code in (403, 404)
    assert foreign_grant["id"] not in {g["id"] for g in glasscase.cli("list", "grants", token=token, json=True)}


def test_the_short_name_works_where_only_one_is_seen(
    glasscase: Installation, models: Models, scale: str, unique: Callable[[str], str]
) -> None:
    name, learner = unique("grace"), unique("ada")
    glasscase.cli("subject", "add", name, "--role", "owner")
    owner = glasscase.cli("token", "create", name, json=True)["token"]
    glasscase.cli("publish", str(models.scale_more), "--name", "scale", token=owner)
    token = glasscase.learner(learner, scale)
    assert glasscase.infer("scale", SCALE_BODY, token).json()["outputs"][0]["data"] == [2, 4, 6, 8]
    glasscase.cli("grant", learner, "predict", "scale", token=owner)
    assert_problem(glasscase.infer("scale", SCALE_BODY, token), 409)
    # Her host starts with her first model.
    wait_until("her model answers", lambda: glasscase.infer(f"{name}/scale", SCALE_BODY, token).status_code == 200)
    assert glasscase.infer(f"{name}/scale", SCALE_BODY, token).json()["outputs"][0]["data"] == [3, 6, 9, 12]
    # Clients that take names apart at the slash write two segments.
    two_segments = glasscase.request("POST", f"/v2/models/{scale}/infer", token, json=SCALE_BODY)
    assert two_segments.status_code == 200, two_segments.text
    versioned = glasscase.request("GET", f"/v2/models/{scale}/versions/1/ready", token)
    assert versioned.status_code == 200, versioned.text


def answer_of(installation: Installation, control: bool, token: str, method: str, path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
    """All that a caller can see of an answer but the time of day; the request goes out in one piece."""
    data = b"" if body is None else json.dumps(body).encode()
    with Wire(installation, control=control) as wire:
        wire.token = token
        wire.send(wire.head(method, path, f"Content-Length: {len(data)}") + data)
        answer = wire.answer()
    return answer.status, {k: v for k, v in answer.headers.items() if k != "date"}, answer.body


def test_a_model_without_a_grant_answers_as_one_that_does_not_exist(
    glasscase: Installation, scale: str, models: Models, unique: Callable[[str], str]
) -> None:
    hidden = glasscase.publish(models.scale, "hidden-model", "--version", "1")["model"]
    absent = hidden["name"].replace("hidden-model", "absent-model")
    token = glasscase.learner(unique("ada"), scale)
    version = hidden["versions"][0]["id"]
    other_uuid = ("0" if hidden["id"][0] != "0" else "1") + hidden["id"][1:]
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/v2/models/{}", None), ("GET", "/v2/models/{}/ready", None), ("POST", "/v2/models/{}/infer", SCALE_BODY),
        ("POST", "/v2/models/{}/infer", {"broken": 1}), ("GET", "/v2/models/{}/versions/1", None),
        ("GET", f"/v2/models/{{}}/versions/{version}", None), ("GET", "/v2/models/{}/versions/1/ready", None),
        ("POST", "/v2/models/{}/versions/1/infer", SCALE_BODY), ("POST", "/v2/models/{}/versions/7/infer", SCALE_BODY),
        ("GET", "/glasscase/v1/models/{}", None),
    ]
    for there, missing in ((hidden["name"], absent), ("hidden-model", "absent-model"), (hidden["id"], other_uuid)):
        for method, path, body in asked:
            for control in (False, True):
                answers = []
                for name in (there, missing):
                    status, headers, content = answer_of(glasscase, control, token, method, path.format(name.replace("/", "%2F")), body)
                    # The name that was asked for, which has the same length, is the only difference.
                    answers.append((status, headers, content.replace(name.encode(), b"NAME")))
                assert answers[0][0] in (403, 404, 405)
                assert answers[0] == answers[1], (method, path, control)
    index = glasscase.request("POST", "/v2/repository/index", token, json={}).json()
    assert [(m["name"], m["version"]) for m in index] == [(scale, "1")]
    assert [m["name"] for m in glasscase.request("GET", "/glasscase/v1/models", token).json()["models"]] == [scale]


# ---- quota ----


def test_a_quota_is_never_exceeded_and_says_when_to_come_back(
    glasscase: Installation, scale: str, unique: Callable[[str], str]
) -> None:
    token = glasscase.learner(unique("ada"), scale, quota="20/h")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: glasscase.infer(scale, SCALE_BODY, token), range(60)))
    statuses = [a.status_code for a in answers]
    assert statuses.count(200) == 20
    assert statuses.count(429) == 40
    for answer in answers:
        policy = re.search(r"q=(\d+);w=(\d+)", answer.headers["RateLimit-Policy"])
        state = re.search(r"r=(\d+);t=(\d+)", answer.headers["RateLimit"])
        assert policy and policy.groups() == ("20", "3600"), answer.headers
        assert state and int(state[1]) < 20 and 0 < int(state[2]) <= 3600, answer.headers
        if answer.status_code == 429:
            assert_problem(answer, 429)
            assert state[1] == "0"
            assert 0 < int(answer.headers["Retry-After"]) <= 180 + 1
    other = glasscase.learner(unique("eve"), scale, quota="20/h")
    assert glasscase.infer(scale, SCALE_BODY, other).status_code == 200


def test_a_quota_refills(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    token = glasscase.learner(unique("ada"), scale, quota="2/2s")
    assert [glasscase.infer(scale, SCALE_BODY, token).status_code for _ in range(3)] == [200, 200, 429]
    time.sleep(1.2)
    assert [glasscase.infer(scale, SCALE_BODY, token).status_code for _ in range(2)] == [200, 429]


def test_a_quota_outlives_restarts_of_the_host(glasscase: Installation, scale: str, unique: Callable[[str], str]) -> None:
    token = glasscase.learner(unique("ada"), scale, quota="3/d")
    assert [glasscase.infer(scale, SCALE_BODY, token).status_code for _ in range(2)] == [200, 200]
    for host in glasscase.processes("glasscase-host"):
        host.kill()
    wait_until("calls are answered again", lambda: glasscase.infer(scale, SCALE_BODY).status_code == 200)
    assert [glasscase.infer(scale, SCALE_BODY, token).status_code for _ in range(2)] == [200, 429]
