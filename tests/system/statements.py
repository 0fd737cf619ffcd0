"""What an installation signs, opened with a tool of others."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any


def signed_statement(bundle: Path, key: Path, folder: Path) -> dict[str, Any]:
    """The statement in a bundle, once openssl has said that it was signed with this public key."""
    envelope = json.loads(bundle.read_text())["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    (folder / "signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (folder / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    said = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature", folder / "signature", folder / "signed"],
                          capture_output=True, text=True, check=False)
    assert said.stdout == "Verified OK\n", said.stdout + said.stderr
    statement: dict[str, Any] = json.loads(payload)
    return statement
