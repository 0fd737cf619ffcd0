// node verify_bundle.mjs PUBLIC.pem BUNDLE: checks a bundle with @sigstore/verify and prints the signed payload. No
// transparency log, no timestamps: the key alone is trusted.
import { createRequire } from "node:module";
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../../.deps/node/package.json", import.meta.url));
const { bundleFromJSON } = require("@sigstore/bundle");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const [keyPath, bundlePath] = process.argv.slice(2);
const bundle = bundleFromJSON(JSON.parse(readFileSync(bundlePath, "utf8")));
const publicKey = createPublicKey(readFileSync(keyPath, "utf8"));
const trusted = toTrustMaterial(
  { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] },
  () => ({ publicKey: publicKey, validFor: () => true }),
);
try {
  const verifier = new Verifier(trusted, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
  verifier.verify(toSignedEntity(bundle));
} catch (error) {
  console.error(`refused: ${error.code ?? error.message}`);
  process.exit(1);
}
process.stdout.write(bundle.content.dsseEnvelope.payload);
