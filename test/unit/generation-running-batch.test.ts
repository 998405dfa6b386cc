import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DecodeRequest } from '../../contracts/decoding.ts';
import { hashSeed } from '../../contracts/hash.ts';
import { createGenerator, type Generator } from '../../policy/generation/generator.ts';
import type { RunningBatch } from '../../policy/generation/running-batch.ts';
import { onCpu } from '../../policy/graph/session.ts';
import { sharpWeights } from './support/sharp-weights.ts';
import { TINY } from './support/tiny-policy.ts';

const traits = { ...TINY.traits, vocab: 60 };
const weights = sharpWeights(traits);
const BUDGET = { rows: 5, cacheBytes: 2 ** 30 };

let generator: Generator;
beforeAll(() => {
  generator = createGenerator({ traits, contextLength: 128, eosIds: [7, 5], runtime: onCpu(1) });
});
afterAll(async () => {
  await generator.close();
});

/** Requests of all kinds: short and long prompts, one completion or several, greedy or not. */
const REQUESTS = Array.from({ length: 24 }, (_, i): DecodeRequest => {
  const draw = (what: string, below: number): number => hashSeed(what, i) % below;
  return {
    ids: Array.from({ length: 1 + draw('length', 40) }, (_, at) => 8 + (hashSeed(i, at) % 52)),
    seeds: Array.from({ length: 1 + draw('n', 3) }, (_, index) => 100 * i + index),
    sampling: {
      temperature: draw('greedy', 3) === 0 ? 0 : 0.9,
      topP: draw('nucleus', 2) === 0 ? 1 : 0.8,
      maxNewTokens: 1 + draw('limit', 50),
    },
    topLogprobs: draw('top', 3),
  };
});

/** Ids of each completion by request and index; at each step, so many requests come. */
async function decode(batch: RunningBatch, arrivals: (step: number) => number) {
  const made = REQUESTS.map(({ seeds }) => seeds.map((): number[] => []));
  let next = 0;
  for (let step = 0; next < REQUESTS.length || !batch.idle(); step++) {
    for (let i = 0; i < arrivals(step) && next < REQUESTS.length; i++) {
      batch.add(next, REQUESTS[next]!);
      next++;
    }
    if (batch.idle()) continue;
    for (const { key, index, id, logprob, top } of await batch.step()) {
      made[key]![index]!.push(id);
      expect(top).toHaveLength(REQUESTS[key]!.topLogprobs);
      for (const other of top) expect(other.logprob).toBeGreaterThanOrEqual(top.at(-1)!.logprob);
      if (REQUESTS[key]!.sampling.temperature === 0)
        expect(top[0]?.logprob ?? logprob).toBe(logprob);
    }
  }
  return made;
}

it('gives requests that come and go the tokens that they get alone', async () => {
  const alone = [];
  for (const { ids, seeds, sampling } of REQUESTS) {
    const completions = await generator.generate(weights, [{ ids, seeds }], sampling);
    alone.push(completions.map((completion) => completion.ids));
  }
  const batch = await generator.openBatch(weights, BUDGET, {});
  expect(await decode(batch, () => REQUESTS.length)).toEqual(alone);
  // The same batch again, now one request at a time, while others are under way.
  expect(await decode(batch, (step) => (step % 3 === 0 ? 1 : 0))).toEqual(alone);
});

it('gives a place back when its completion is given up', async () => {
  const batch = await generator.openBatch(weights, { ...BUDGET, rows: 1 }, {});
  const long = {
    ...REQUESTS[0]!,
    seeds: [1],
    sampling: { temperature: 0, topP: 1, maxNewTokens: 60 },
  };
  batch.add(1, long);
  batch.add(2, long);
  batch.add(3, long);
  const keys = async (): Promise<number[]> => (await batch.step()).map(({ key }) => key);
  expect(new Set(await keys())).toEqual(new Set([1]));
  batch.stop(1, 0);
  batch.stop(2, 0);
  expect(new Set(await keys())).toEqual(new Set([3]));
  batch.stop(3, 0);
  expect(batch.idle()).toBe(true);
});
