// What ethers makes of the same inputs: a list of orders on standard input, a list of answers on standard output.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const root = path.join(__dirname, "..", "..");
const { ethers } = require(path.join(root, ".deps", "chain", "node_modules", "ethers"));

const artefact = (name) => JSON.parse(fs.readFileSync(path.join(root, "contracts", "artefacts", `${name}.json`)));
const abi = (name) => new ethers.Interface(artefact(name).abi);

const answers = {
  // The bytes of a signed transaction.
  async sign(order) {
    const raw = await new ethers.Wallet("0x" + order.key).signTransaction({
      type: 2,
      chainId: BigInt(order.chain_id),
      nonce: order.nonce,
      maxPriorityFeePerGas: BigInt(order.priority),
      maxFeePerGas: BigInt(order.max),
      gasLimit: BigInt(order.gas),
      to: order.to,
      data: "0x" + order.data,
    });
    const address = new ethers.Wallet("0x" + order.key).address;
    return {
      raw: raw.slice(2),
      hash: ethers.keccak256(raw).slice(2),
      address,
      created: ethers.getCreateAddress({ from: address, nonce: order.nonce }),
    };
  },
  // What a submission that the adapter gave to keep says, and whether each attempt is signed by its sender.
  async kept(order) {
    const [version, chainId, sender, nonce, to, gas, data, attempts] = ethers.decodeRlp("0x" + order.kept);
    return {
      version: Number(version),
      chain_id: Number(chainId),
      sender: ethers.getAddress(sender),
      nonce: Number(nonce === "0x" ? 0 : nonce),
      to: to === "0x" ? null : ethers.getAddress(to),
      data: data.slice(2),
      attempts: attempts.map(([, , raw]) => {
        const transaction = ethers.Transaction.from(raw);
        return {
          from: transaction.from,
          nonce: transaction.nonce,
          gas: Number(transaction.gasLimit),
          to: transaction.to,
          data: transaction.data.slice(2),
          max: transaction.maxFeePerGas.toString(),
          priority: transaction.maxPriorityFeePerGas.toString(),
          same_gas: transaction.gasLimit === BigInt(gas),
        };
      }),
    };
  },
  async call(order) {
    return abi(order.contract).encodeFunctionData(order.function, order.arguments).slice(2);
  },
  async creation(order) {
    return artefact(order.contract).bytecode + abi(order.contract).encodeDeploy(order.arguments).slice(2);
  },
  async refusal(order) {
    const error = abi(order.contract).parseError(order.data);
    return [error.name, ...error.args.map(String)];
  },
};

(async () => {
  const orders = JSON.parse(fs.readFileSync(0, "utf8"));
  const given = [];
  for (const order of orders) given.push(await answers[order.do](order));
  process.stdout.write(JSON.stringify(given));
})();
