"""TLS in the edges: self-signed with a pin, files of one's own, and their replacement while serving."""

from __future__ import annotations

import os
import shlex
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from system.installation import Installation, wait_until
from system.models import Models


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return certificate, key


def served_name(installation: Installation, port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as connection:
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der, capture_output=True, check=True)
    return text.stdout.decode().strip().split("CN = ")[-1]


def test_self_signed_and_pinned(fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path) -> None:
    glasscase = fresh_glasscase(scheme="https", init_words=("--tls-self-signed",))
    pin = glasscase.profile["pin"]
    assert pin.startswith("sha256//")
    assert (glasscase.data / "tls" / "key.pem").stat().st_mode & 0o077 == 0
    model = glasscase.publish(models.scale, "scale")["model"]["name"]
    certificate = str(glasscase.data / "tls" / "cert.pem")
    with requests.Session() as session:
        session.trust_env = False
        session.verify = certificate
        assert session.get(f"{glasscase.url}/v2/health/live").json() == {"live": True}
        assert session.get(f"{glasscase.control_url}/v2/health/live").json() == {"live": True}
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{glasscase.url}/v2/health/live", timeout=10)

    # The invitation carries the pin; the learner's profile keeps it.
    glasscase.cli("grant", "ada", "predict", model, check=False)
    line = shlex.split(glasscase.cli("invite", "ada").stdout)
    assert f"&pin={pin}" in line[-1]
    environment = glasscase.environment() | {"XDG_CONFIG_HOME": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([glasscase.programs / "glasscase", *words], env=environment, capture_output=True, text=True, check=False)

    assert run(*line[1:]).returncode == 0
    assert run("whoami").returncode == 0
    profile = tmp_path / "glasscase" / "default.json"
    profile.write_text(profile.read_text().replace(pin, "sha256//" + "A" * 43 + "="))
    refused = run("whoami")
    assert refused.returncode == 1
    assert "does not hold the key" in refused.stderr


def test_plain_http_on_a_tls_listener_is_refused(fresh_glasscase: Callable[..., Installation]) -> None:
    glasscase = fresh_glasscase(scheme="https", init_words=("--tls-self-signed",))
    with socket.create_connection(("127.0.0.1", glasscase.ports[0]), timeout=10) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(10)
        try:
            assert b"HTTP/1.1 200" not in connection.recv(4096)
        except ConnectionResetError:
            pass
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", glasscase.ports[0]), timeout=10) as connection, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(connection)


def test_slow_handshakes_are_waited_for_and_missing_ones_cut_off(fresh_glasscase: Callable[..., Installation]) -> None:
    glasscase = fresh_glasscase(scheme="https", init_words=("--tls-self-signed",))
    context = ssl.create_default_context(cafile=str(glasscase.data / "tls" / "cert.pem"))
    silent = socket.create_connection(("127.0.0.1", glasscase.ports[0]), timeout=60)
    for seconds in (0.3, 1.3, 2.6):
        with socket.create_connection(("127.0.0.1", glasscase.ports[0]), timeout=10) as plain:
            time.sleep(seconds)  # the client is far away
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                assert connection.getpeercert()
    with silent:
        assert silent.recv(1) == b""


def test_replaced_files_are_read_again_without_a_restart(fresh_glasscase: Callable[..., Installation], tmp_path: Path) -> None:
    first_certificate, first_key = make_certificate(tmp_path, "first")
    second_certificate, second_key = make_certificate(tmp_path, "second")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(first_certificate.read_bytes())
    key.write_bytes(first_key.read_bytes())
    glasscase = fresh_glasscase(scheme="https", serve_words=("--tls-cert", str(certificate), "--tls-key", str(key)))
    edges = {p.pid for p in glasscase.processes("glasscase-edge")}
    for port in glasscase.ports:
        assert served_name(glasscase, port) == "first"
    os.replace(second_key, key)
    os.replace(second_certificate, certificate)
    for port in glasscase.ports:
        wait_until("the new certificate is served", lambda p=port: served_name(glasscase, p) == "second", 30)
    assert {p.pid for p in glasscase.processes("glasscase-edge")} == edges
    # Files that do not fit each other leave the last good ones in force.
    certificate.write_bytes(first_certificate.read_bytes())
    key.write_text("broken")
    wait_until("something was logged", lambda: "tls" in glasscase.log_tail().lower(), 30)
    assert served_name(glasscase, glasscase.ports[0]) == "second"
