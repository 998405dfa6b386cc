import { describe, expect, it } from 'vitest';
import { exactWeightType, int8Linear } from '../../policy/generation/int8-linear.ts';
import { int8Data, toInt8, type WeightType } from '../../policy/generation/int8-weights.ts';
import { createGraph, input, output } from '../../policy/graph/graph.ts';
import { floatData, floats, onCpu, openSession } from '../../policy/graph/session.ts';
import type { TensorSpec } from '../../policy/models/model-traits.ts';

const ROWS = 70;
const COLUMNS = 96;
const NAME = 'w';
const SPECS: TensorSpec[] = [{ name: NAME, dims: [ROWS, COLUMNS], role: 'projection' }];

/** Values of very different sizes, as activations and weights have. */
const wave = (length: number, salt: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * i + salt) * (i % 13 === 0 ? 8 : 0.3));

const weight = wave(ROWS * COLUMNS, 1);
/** Tokens; the last one is all zeros. */
const x = Float32Array.from([...wave(4 * COLUMNS, 2), ...new Float32Array(COLUMNS)]);
const TOKENS = x.length / COLUMNS;

/** x · weightᵀ through a session, the tokens as a batch of sequences of one. */
async function product(
  type: WeightType,
  oneByte: ReadonlySet<string>,
  { tokens = x, threads = 1 } = {},
): Promise<Float32Array> {
  const graph = createGraph();
  const activations = input(graph, 'x', 'float32', ['N', 1, COLUMNS]);
  output(int8Linear(graph, SPECS, type, oneByte)(activations, NAME), 'y');
  const data = int8Data(SPECS, new Map([[NAME, { dims: [ROWS, COLUMNS], data: weight }]]), type);
  const session = await openSession(graph, onCpu(threads), { data });
  const feeds = { x: floats(tokens, [tokens.length / COLUMNS, 1, COLUMNS]) };
  const y = Float32Array.from(floatData(await session.run(feeds, ['y']), 'y'));
  await session.release();
  return y;
}

/** What it stands for, in the host's numbers. @param steps of a token's largest activation */
function expected(steps: number): number[] {
  const { values, scales } = toInt8(weight, COLUMNS, 'int8');
  const token = (t: number) => x.subarray(t * COLUMNS, (t + 1) * COLUMNS);
  return Array.from({ length: TOKENS * ROWS }, (_, i) => {
    const activations = token(Math.floor(i / ROWS));
    const row = i % ROWS;
    const largest = Math.max(...activations.map(Math.abs), 1e-20);
    let sum = 0;
    activations.forEach((value, k) => {
      sum += Math.round((value / largest) * steps) * values[k * ROWS + row]!;
    });
    return (sum / steps) * largest * scales[row]!;
  });
}

function worst(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  return Array.from(wanted).reduce(
    (most, each, i) => Math.max(most, Math.abs(each - found[i]!)),
    0,
  );
}

describe('matrices in 8 bits', () => {
  it('keep each row to half a step of its own, and are transposed', () => {
    const { values, scales } = toInt8(weight, COLUMNS, 'int8');
    const unsigned = toInt8(weight, COLUMNS, 'uint8');
    expect(unsigned.scales).toEqual(scales);
    weight.forEach((each, i) => {
      const [row, k] = [Math.floor(i / COLUMNS), i % COLUMNS];
      const value = values[k * ROWS + row]!;
      expect(Math.abs(value * scales[row]! - each)).toBeLessThanOrEqual(scales[row]! * 0.501);
      expect(unsigned.values[k * ROWS + row]).toBe(value + 128);
    });
    for (const scale of scales) expect(scale).toBeGreaterThan(0);
    const nothing = toInt8(new Float32Array(COLUMNS), COLUMNS, 'int8');
    expect([...nothing.values, ...nothing.scales].every((each) => each === 0)).toBe(true);
  });

  it('are multiplied exactly with activations of a byte or two', async () => {
    const type = await exactWeightType();
    for (const form of new Set<WeightType>([type, 'uint8'])) {
      const coarse = await product(form, new Set([NAME]));
      expect(worst(coarse, expected(127))).toBeLessThan(1e-4);
      const fine = await product(form, new Set());
      const plain = expected(127 * 254);
      expect(worst(fine, plain)).toBeLessThan(1e-3);
      expect(worst(coarse, plain)).toBeGreaterThan(10 * worst(fine, plain));
      // A token of zeros stays one.
      for (const y of [coarse, fine]) expect(y.slice(-ROWS).every((each) => each === 0)).toBe(true);
    }
  });

  it('give a token the same in any company, with any number of threads', async () => {
    const type = await exactWeightType();
    const all = await product(type, new Set());
    expect(await product(type, new Set(), { threads: 2 })).toEqual(all);
    const alone = await product(type, new Set(), { tokens: x.slice(COLUMNS, 2 * COLUMNS) });
    expect(alone).toEqual(all.slice(ROWS, 2 * ROWS));
  });
});
