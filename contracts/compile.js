// Compiles the contracts into artefacts/, or says which artefact differs from what its source gives.
//
//   node contracts/compile.js            writes artefacts/*.json
//   node contracts/compile.js --check    writes nothing; exit status 1 when one differs
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const folder = __dirname;
const solc = require(path.join(folder, "..", ".deps", "chain", "node_modules", "solc"));
const check = process.argv.includes("--check");

const names = fs.readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const settings = {
  optimizer: { enabled: true, runs: 200 },
  // The last EVM that every network of the guide runs: later ones use an instruction (PUSH0) that some lack.
  evmVersion: "paris",
  // No digest of the source at the end of the code: it would cost 10,600 gas per contract, and whoever wants to know
  // what runs compiles this folder.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: Object.fromEntries(
        names.map((name) => [name, { content: fs.readFileSync(path.join(folder, name), "utf8") }]),
      ),
      settings,
    }),
  ),
);
for (const message of output.errors ?? []) console.error(message.formattedMessage);
if (output.errors?.length) process.exit(1); // warnings too

let differing = 0;
for (const file of names) {
  const name = path.basename(file, ".sol");
  const contract = output.contracts[file][name];
  const artefact = path.join(folder, "artefacts", `${name}.json`);
  const text =
    JSON.stringify(
      { contract: name, compiler: solc.version(), abi: contract.abi, bytecode: contract.evm.bytecode.object },
      null,
      1,
    ) + "\n";
  if (!check) fs.writeFileSync(artefact, text);
  else if (!fs.existsSync(artefact) || fs.readFileSync(artefact, "utf8") !== text) {
    console.error(`${path.relative(process.cwd(), artefact)} is not what ${file} gives: node contracts/compile.js`);
    differing += 1;
  }
}
process.exit(differing ? 1 : 0);
