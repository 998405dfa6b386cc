import { Tensor as Value } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { seededRandom } from '../../contracts/hash.ts';
import {
  DRAW_FETCHES,
  drawBlock,
  outputDraws,
  readDraws,
  tokenOfBlock,
} from '../../policy/generation/block-draw.ts';
import { createGenerator } from '../../policy/generation/generator.ts';
import { uniformDraw } from '../../policy/generation/token-sampler.ts';
import { createGraph, input } from '../../policy/graph/graph.ts';
import { floats, onCpu, openSession } from '../../policy/graph/session.ts';
import { referenceLogits, referenceLogprob } from './support/reference-decoder.ts';
import { sharpWeights } from './support/sharp-weights.ts';
import { TINY } from './support/tiny-policy.ts';

const sum = (parts: Iterable<number>): number => {
  let total = 0;
  for (const part of parts) total += part;
  return total;
};

/** Tokens that rows of probabilities give for draws, by a graph with blocks. */
async function drawInGraph(rows: readonly Float32Array[], draws: readonly number[], size: number) {
  const vocab = rows[0]!.length;
  const graph = createGraph();
  outputDraws(input(graph, 'p', 'float32', ['R', vocab]), size);
  const session = await openSession(graph, onCpu(1));
  const p = new Float32Array(rows.length * vocab);
  rows.forEach((row, i) => {
    p.set(row, i * vocab);
  });
  const results = await session.run(
    {
      p: floats(p, [rows.length, vocab]),
      draws: new Value('float64', Float64Array.from(draws), [rows.length, 1]),
    },
    DRAW_FETCHES,
  );
  await session.release();
  return rows.map((_, row) => tokenOfBlock(readDraws(results)!, row));
}

it('draws in blocks what inversion gives in double precision', async () => {
  const random = seededRandom(5);
  const flat = Float32Array.from({ length: 1024 }, random);
  // Most are impossible, whole blocks at both ends among them.
  const sparse = flat.map((p, i) => (i < 300 || i > 700 || i % 7 > 0 ? 0 : p));
  const draws = [0, 0.25, 0.5, 0.999, 1 - 2 ** -53, ...Array.from({ length: 200 }, random)];
  for (const row of [flat, sparse, new Float32Array(1024).fill(1 / 1024)]) {
    const drawn = await drawInGraph(
      draws.map(() => row),
      draws,
      64,
    );
    const total = sum(row);
    drawn.forEach(({ id, logprob }, i) => {
      expect(row[id]).toBeGreaterThan(0);
      expect(logprob).toBe(Math.log(row[id]!));
      const before = sum(row.subarray(0, id));
      expect(before / total).toBeLessThanOrEqual(draws[i]! + 1e-6);
      expect((before + row[id]!) / total).toBeGreaterThanOrEqual(draws[i]! - 1e-6);
    });
  }
});

it('hands probabilities on that are not numbers', async () => {
  const [token] = await drawInGraph([new Float32Array(128).fill(Number.NaN)], [0.5], 64);
  expect(token!.logprob).toBeNaN();
});

it('has whole blocks, or leaves the vocabulary as it is', () => {
  expect([49_152, 151_936, 128_256].map(drawBlock)).toEqual([256, 128, 256]);
  expect([264, 4096, 50_257].map(drawBlock)).toEqual([null, null, null]);
});

it('samples a large vocabulary as its probabilities say, whatever is asked for beside', async () => {
  const traits = { ...TINY.traits, vocab: 8192 };
  const weights = sharpWeights(traits);
  const generator = createGenerator({ traits, contextLength: 64, eosIds: [], runtime: onCpu(1) });
  const prompts = [
    { ids: [300, 8000, 5], seeds: [1, 2, 3] },
    { ids: [17], seeds: [4, 5] },
  ];
  const sampling = { temperature: 0.8, topP: 1, maxNewTokens: 12 };
  const completions = await generator.generate(weights, prompts, sampling);
  for (const { prompt, index, ids, logprobs } of completions) {
    const before = prompts[prompt]!.ids;
    const logits = referenceLogits(traits, weights, [...before, ...ids]);
    ids.forEach((id, t) => {
      const row = logits[before.length + t - 1]!;
      expect(Math.abs(logprobs[t]! - referenceLogprob(row, id, 0.8))).toBeLessThan(1e-4);
      const top = Math.max(...row);
      const masses = row.map((x) => Math.exp((x - top) / 0.8));
      const u = uniformDraw(prompts[prompt]!.seeds[index]!, t) * sum(masses);
      const low = sum(masses.slice(0, id));
      expect(low).toBeLessThan(u + 1e-4 * sum(masses));
      expect(low + masses[id]!).toBeGreaterThan(u - 1e-4 * sum(masses));
    });
  }
  await generator.close();
});
