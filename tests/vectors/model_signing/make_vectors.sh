#!/usr/bin/env bash
# Makes the signatures here anew, with a key that is thrown away. They are kept as they are: a signature that was accepted
# once must stay so. Needs tools/bootstrap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=../../../.deps/model-signing/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/digits/a"
printf weights >"$work/digits/model.onnx"
printf 1 >"$work/digits/a/b.txt"
printf 2 >"$work/digits/a.txt"
printf '' >"$work/digits/empty"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/key.pem"
openssl ec -in "$work/key.pem" -pubout -out public.pem 2>/dev/null
"$python" -m model_signing sign key "$work/digits" --private_key "$work/key.pem" --signature files.sig
"$python" -m model_signing sign key "$work/digits/model.onnx" --private_key "$work/key.pem" --signature single.sig
"$python" - "$work" <<'END'
import sys
import model_signing
work = sys.argv[1]
shards = model_signing.hashing.Config().use_shard_serialization(shard_size=4)
config = model_signing.signing.Config().use_elliptic_key_signer(private_key=work + "/key.pem")
config.set_hashing_config(shards).sign(work + "/digits", "shards.sig")
END
