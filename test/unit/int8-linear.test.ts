import { describe, expect, it } from 'vitest';
import { exactWeightType, int8Linear } from '../../policy/generation/int8-linear.ts';
import { int8Data, toInt8, type WeightType } from '../../policy/generation/int8-weights.ts';
import { createGraph, input, output } from '../../policy/graph/graph.ts';
import { floatData, floats, onCpu, openSession } from '../../policy/graph/session.ts';

const COLUMNS = 40;
/** Rows of the matrices of a group: several that are taken apart, and one whose results are wide. */
const GROUPS = [[70, 3], [170]];

/** Values of very different sizes, as activations and weights have. */
const wave = (length: number, salt: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * i + salt) * (i % 13 === 0 ? 8 : 0.3));

/** Tokens; the last one is all zeros. */
const x = Float32Array.from([...wave(4 * COLUMNS, 2), ...new Float32Array(COLUMNS)]);
const TOKENS = x.length / COLUMNS;

const matricesOf = (rows: readonly number[]) =>
  rows.map((count, i) => ({
    name: `w${i}`,
    dims: [count, COLUMNS],
    data: wave(count * COLUMNS, i),
  }));

interface Products {
  readonly type: WeightType;
  readonly twoBytes: boolean;
  readonly tokens?: Float32Array;
  readonly threads?: number;
}

/** x times the transpose of each matrix of a group, the tokens as a batch of sequences of one. */
async function products(
  rows: readonly number[],
  { type, twoBytes, tokens = x, threads = 1 }: Products,
): Promise<Float32Array[]> {
  const matrices = matricesOf(rows);
  const names = matrices.map(({ name }) => name);
  const groups = [{ name: 'group', names, rows, columns: COLUMNS, twoBytes }];
  const graph = createGraph();
  const activations = input(graph, 'x', 'float32', ['N', 1, COLUMNS]);
  const project = int8Linear(graph, groups, type);
  for (const name of names) output(project(activations, name), `y.${name}`);
  const weights = new Map(matrices.map(({ name, dims, data }) => [name, { dims, data }]));
  const data = int8Data(groups, weights, type);
  const session = await openSession(graph, onCpu(threads), { data });
  const feeds = { x: floats(tokens, [tokens.length / COLUMNS, 1, COLUMNS]) };
  const fetches = names.map((name) => `y.${name}`);
  const results = await session.run(feeds, fetches);
  const found = fetches.map((name) => Float32Array.from(floatData(results, name)));
  await session.release();
  return found;
}

/** What one stands for, in the host's numbers. @param steps of a token's largest activation */
function expected(weight: Float32Array, steps: number): number[] {
  const { values, scales } = toInt8([weight], COLUMNS, 'int8');
  const rows = scales.length;
  return Array.from({ length: TOKENS * rows }, (_, i) => {
    const [token, row] = [Math.floor(i / rows), i % rows];
    const activations = x.subarray(token * COLUMNS, (token + 1) * COLUMNS);
    const largest = Math.max(...activations.map(Math.abs), 1e-20);
    let sum = 0;
    activations.forEach((value, k) => {
      sum += Math.round((value / largest) * steps) * values[k * rows + row]!;
    });
    return (sum / steps) * largest * scales[row]!;
  });
}

const worst = (found: Float32Array, wanted: readonly number[]): number =>
  wanted.reduce((most, each, i) => Math.max(most, Math.abs(each - found[i]!)), 0);

describe('matrices in 8 bits', () => {
  it('keep each row to half a step of its own, are transposed, and lie side by side', () => {
    const [upper, lower] = [wave(70 * COLUMNS, 1), wave(5 * COLUMNS, 2)];
    const { values, scales } = toInt8([upper, lower], COLUMNS, 'int8');
    const unsigned = toInt8([upper, lower], COLUMNS, 'uint8');
    expect(unsigned.scales).toEqual(scales);
    for (const [i, each] of [...upper, ...lower].entries()) {
      const [row, k] = [Math.floor(i / COLUMNS), i % COLUMNS];
      const value = values[k * 75 + row]!;
      expect(Math.abs(value * scales[row]! - each)).toBeLessThanOrEqual(scales[row]! * 0.501);
      expect(unsigned.values[k * 75 + row]).toBe(value + 128);
    }
    for (const scale of scales) expect(scale).toBeGreaterThan(0);
    const nothing = toInt8([new Float32Array(COLUMNS)], COLUMNS, 'int8');
    expect([...nothing.values, ...nothing.scales].every((each) => each === 0)).toBe(true);
  });

  it.each(GROUPS)(
    'are multiplied exactly with activations of a byte or two: %j',
    async (...rows) => {
      const type = await exactWeightType();
      for (const form of new Set<WeightType>([type, 'uint8'])) {
        const coarse = await products(rows, { type: form, twoBytes: false });
        const fine = await products(rows, { type: form, twoBytes: true });
        for (const [i, { data }] of matricesOf(rows).entries()) {
          expect(worst(coarse[i]!, expected(data, 127))).toBeLessThan(1e-4);
          const plain = expected(data, 127 * 254);
          expect(worst(fine[i]!, plain)).toBeLessThan(1e-3);
          expect(worst(coarse[i]!, plain)).toBeGreaterThan(10 * worst(fine[i]!, plain));
        }
        // A token of zeros stays one.
        const last = [...coarse, ...fine].map((y) => y.slice(-y.length / TOKENS));
        for (const y of last) expect(y.every((each) => each === 0)).toBe(true);
      }
    },
  );

  it.each(GROUPS)(
    'give a token the same in any company, with any number of threads: %j',
    async (...rows) => {
      const how = { type: await exactWeightType(), twoBytes: true };
      const all = await products(rows, how);
      expect(await products(rows, { ...how, threads: 2 })).toEqual(all);
      const alone = await products(rows, { ...how, tokens: x.slice(COLUMNS, 2 * COLUMNS) });
      const second = all.map((y) => y.slice(y.length / TOKENS, (2 * y.length) / TOKENS));
      expect(alone).toEqual(second);
    },
  );
});
