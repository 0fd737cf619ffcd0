// Writes numbers.txt: the bits of a double, then the text that this ECMAScript engine prints for it. A fixed generator
// (SplitMix64, seed 1), so that the file can be made again: node make_numbers.mjs > numbers.txt
let state = 1n;
const mask = (1n << 64n) - 1n;
function next() {
  state = (state + 0x9e3779b97f4a7c15n) & mask;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return z ^ (z >> 31n);
}
const view = new DataView(new ArrayBuffer(8));
function print(bits) {
  view.setBigUint64(0, bits);
  const value = view.getFloat64(0);
  if (Number.isFinite(value)) console.log(`${bits.toString(16).padStart(16, "0")} ${JSON.stringify(value)}`);
}
function bitsOf(value) {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
for (let i = 0; i < 1000; ++i) print(next());
// Where the layout changes: powers of ten and their neighbours from 1e-9 to 1e24, halves, and whole numbers.
for (let exponent = -9; exponent <= 24; ++exponent) {
  const bits = bitsOf(Number(`1e${exponent}`));
  for (let step = -3n; step <= 3n; ++step) print(bits + step);
}
for (let i = 0; i < 800; ++i) print(bitsOf(Number(next() >> (i % 2 ? 11n : 40n)) / 2 ** (i % 40)));
