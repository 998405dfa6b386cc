import { Tensor as Value } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import { gradients } from '../../policy/autodiff/gradients.ts';
import { createGraph, input, output, type Graph } from '../../policy/graph/graph.ts';
import { mul, sumAll } from '../../policy/graph/operations.ts';
import { floatData, floats, floatScalar, onCpu, openSession } from '../../policy/graph/session.ts';
import { tokenLogprobs } from '../../policy/training/token-logprobs.ts';

const [ROWS, HIDDEN, VOCAB] = [9, 6, 53];
const TEMPERATURE = 0.8;

function values(name: string, length: number, scale: number): Float32Array {
  const random = seededRandom(hashSeed('logprobs', name));
  return Float32Array.from({ length }, () => scale * (2 * random() - 1));
}

/** Logits between about ±40 · `scale`, so peaks move from chunk to chunk and small probabilities underflow. */
const hidden = (scale: number): Float32Array => values('hidden', ROWS * HIDDEN, 5 * scale);
const head = values('head', VOCAB * HIDDEN, 3);
/** The first and the last token of the vocabulary, chunk borders, and one twice. */
const targets = Int32Array.from([0, 52, 7, 8, 9, 33, 33, 44, 17]);
/** Infinite or zero nowhere, but one row counts for nothing. */
const weight = values('weight', ROWS, 1).map((x, i) => (i === 2 ? 0 : x));

interface Found {
  readonly [name: string]: Float32Array;
}

function buildGraph(chunkRows: number): Graph {
  const graph = createGraph();
  const x = input(graph, 'hidden', 'float32', ['R', HIDDEN]);
  const table = input(graph, 'head', 'float32', [VOCAB, HIDDEN]);
  const { logprobs, entropies } = tokenLogprobs(
    x,
    table,
    input(graph, 'targets', 'int32', ['R']),
    input(graph, 'inverse_temperature', 'float32', []),
    { entropy: true, gradient: true, chunkRows },
  );
  output(logprobs, 'logprobs');
  output(entropies(), 'entropies');
  const loss = sumAll(mul(logprobs, input(graph, 'weight', 'float32', ['R'])));
  const sum = input(graph, 'sum', 'float32', [VOCAB, HIDDEN]);
  const [byHidden, byHead] = gradients(loss, [x, table], new Map([['head', sum]]));
  if (byHidden === undefined || byHead === undefined) throw new Error('two gradients');
  output(byHidden, 'by_hidden');
  output(byHead, 'by_head');
  return graph;
}

async function evaluate(chunkRows: number, scale: number): Promise<Found> {
  const session = await openSession(buildGraph(chunkRows), onCpu(2));
  const names = ['logprobs', 'entropies', 'by_hidden', 'by_head'];
  const found = await session.run(
    {
      hidden: floats(hidden(scale), [ROWS, HIDDEN]),
      head: floats(head, [VOCAB, HIDDEN]),
      targets: new Value('int32', targets, [ROWS]),
      inverse_temperature: floatScalar(1 / TEMPERATURE),
      weight: floats(weight, [ROWS]),
      sum: floats(values('sum', VOCAB * HIDDEN, 1), [VOCAB, HIDDEN]),
    },
    names,
  );
  const result = Object.fromEntries(names.map((name) => [name, floatData(found, name).slice()]));
  await session.release();
  return result;
}

/** log p(target) and entropy of each row in double precision. */
function reference(scale: number): { logprobs: number[]; entropies: number[] } {
  const rows = hidden(scale);
  const each = [...targets].map((target, r) => {
    const logits = Array.from({ length: VOCAB }, (_, v) =>
      Array.from({ length: HIDDEN }, (__, h) => h).reduce(
        (sum, h) => sum + ((rows[r * HIDDEN + h] ?? 0) * (head[v * HIDDEN + h] ?? 0)) / TEMPERATURE,
        0,
      ),
    );
    const peak = Math.max(...logits);
    const total = peak + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - peak), 0));
    return {
      logprob: (logits[target] ?? 0) - total,
      entropy: -logits.reduce((sum, l) => sum + Math.exp(l - total) * (l - total), 0),
    };
  });
  return {
    logprobs: each.map(({ logprob }) => logprob),
    entropies: each.map(({ entropy }) => entropy),
  };
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(
    ...Array.from(a, (x, i) => Math.abs(x - (b[i] ?? Number.NaN)) / (1 + Math.abs(x))),
  );
}

describe('log-probabilities by chunks of the vocabulary', () => {
  it.each([
    { chunkRows: 26, scale: 0.1 },
    { chunkRows: 9, scale: 0.1 },
    { chunkRows: 9, scale: 1 },
    { chunkRows: 4, scale: 1 },
  ])('are those of all at once, as are entropies and gradients: %o', async (which) => {
    const plain = await evaluate(VOCAB, which.scale);
    const chunked = await evaluate(which.chunkRows, which.scale);
    const exact = reference(which.scale);
    expect(worst(exact.logprobs, chunked['logprobs'] ?? [])).toBeLessThan(2e-6);
    expect(worst(exact.entropies, chunked['entropies'] ?? [])).toBeLessThan(5e-6);
    for (const [name, found] of Object.entries(plain))
      expect(worst(found, chunked[name] ?? []), name).toBeLessThan(5e-6);
  });

  it('never hold a value for each row and token', () => {
    const wide = (chunkRows: number): number =>
      buildGraph(chunkRows)
        .operations.flatMap(({ outputs }) => outputs)
        .filter(({ shape }) => shape.includes('R') && shape.includes(VOCAB)).length;
    expect(wide(VOCAB)).toBeGreaterThan(0);
    expect(wide(9)).toBe(0);
  });
});
