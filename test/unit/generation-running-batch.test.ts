import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecodeRequest } from '../../contracts/decoding.ts';
import { hashSeed } from '../../contracts/hash.ts';
import { createGenerator, type Generator } from '../../policy/generation/generator.ts';
import type { RunningBatch } from '../../policy/generation/batch-interface.ts';
import { keyValueBytes } from '../../policy/generation/generation-costs.ts';
import { onCpu } from '../../policy/graph/session.ts';
import { sharpWeights } from './support/sharp-weights.ts';
import { TINY } from './support/tiny-policy.ts';

const traits = { ...TINY.traits, vocab: 60 };
const weights = sharpWeights(traits);
const BUDGET = { rows: 5, cacheBytes: 2 ** 30, prefillBytes: 2 ** 30 };

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
    const { tokens, failures } = await batch.step();
    expect(failures).toEqual([]);
    for (const { key, index, id, logprob, top } of tokens) {
      made[key]![index]!.push(id);
      expect(top).toHaveLength(REQUESTS[key]!.topLogprobs);
      for (const other of top) expect(other.logprob).toBeGreaterThanOrEqual(top.at(-1)!.logprob);
      if (REQUESTS[key]!.sampling.temperature === 0)
        expect(top[0]?.logprob ?? logprob).toBe(logprob);
    }
  }
  return made;
}

/** Ids of each completion of a request that nobody is beside. */
async function alone(
  { ids, seeds, sampling }: DecodeRequest,
  by = weights,
  engine = generator,
): Promise<number[][]> {
  const completions = await engine.generate(by, [{ ids, seeds }], sampling);
  return completions.map((completion) => [...completion.ids]);
}

/** Steps until nothing is left: ids of each completion by key, and why requests failed. */
async function finish(batch: RunningBatch) {
  const made = new Map<number, number[][]>();
  const failed = new Map<number, string>();
  while (!batch.idle()) {
    const { tokens, failures } = await batch.step();
    for (const { key, index, id } of tokens) {
      const completions = made.get(key) ?? [];
      made.set(key, completions);
      (completions[index] ??= []).push(id);
    }
    for (const { key, error } of failures) failed.set(key, String(error));
  }
  return { made, failed };
}

it('gives requests of a large vocabulary, drawn in the graph or not, the tokens that they get alone', async () => {
  const large = { ...traits, vocab: 8192 };
  const many = sharpWeights(large);
  const engine = createGenerator({
    traits: large,
    contextLength: 128,
    eosIds: [7, 5],
    runtime: onCpu(1),
  });
  const batch = await engine.openBatch(many, BUDGET, {});
  const made = await decode(batch, (step) => (step % 3 === 0 ? 1 : 0));
  for (const [i, request] of REQUESTS.entries()) {
    // Where a nucleus ends is up to rounding among so many tokens of like probability; it is what others are drawn beside.
    if (request.sampling.topP === 1) {
      expect(made[i]).toEqual(await alone(request, many, engine));
    }
  }
  await engine.close();
});

it('gives requests that come and go the tokens that they get alone', async () => {
  const expected = [];
  for (const request of REQUESTS) expected.push(await alone(request));
  const batch = await generator.openBatch(weights, BUDGET, {});
  expect(await decode(batch, () => REQUESTS.length)).toEqual(expected);
  // The same batch again, now one request at a time, while others are under way.
  expect(await decode(batch, (step) => (step % 3 === 0 ? 1 : 0))).toEqual(expected);
  // Nearly all prompts in blocks, of one to three tokens.
  const narrow = await generator.openBatch(weights, { ...BUDGET, prefillBytes: 4000 }, {});
  expect(await decode(narrow, (step) => (step % 3 === 0 ? 1 : 0))).toEqual(expected);
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
  const keys = async (): Promise<number[]> => (await batch.step()).tokens.map(({ key }) => key);
  expect(new Set(await keys())).toEqual(new Set([1]));
  batch.stop(1, 0);
  batch.stop(2, 0);
  expect(new Set(await keys())).toEqual(new Set([3]));
  batch.stop(3, 0);
  expect(batch.idle()).toBe(true);
});

const greedy = (maxNewTokens: number) => ({ temperature: 0, topP: 1, maxNewTokens });
const request = (ids: number[], maxNewTokens: number, n = 1): DecodeRequest => ({
  ids,
  seeds: Array.from({ length: n }, (_, index) => index),
  sampling: greedy(maxNewTokens),
  topLogprobs: 0,
});

describe('what keys and values may take', () => {
  const bytes = keyValueBytes(traits);

  it('holds for one request, whose completions begin one after the other', async () => {
    const budget = { ...BUDGET, rows: 8, cacheBytes: 60 * bytes };
    const batch = await generator.openBatch(weights, budget, {});
    const wanted = request([9, 10, 11, 12], 20, 8);
    batch.add(1, wanted);
    const { tokens } = await batch.step();
    // 4 + 2 · 20 fit into 60; a third would not.
    expect(new Set(tokens.map(({ index }) => index))).toEqual(new Set([0, 1]));
    const { made } = await finish(batch);
    const [all] = await alone(wanted);
    expect(made.get(1)?.map((ids) => ids.length)).toEqual(
      Array.from({ length: 8 }, (_, index) => all!.length - (index < 2 ? 2 : 0)),
    );
  });

  it('is what a prompt and its completion have room for', async () => {
    const budget = { ...BUDGET, cacheBytes: 30 * bytes };
    const batch = await generator.openBatch(weights, budget, {});
    expect(batch.contextLength).toBe(30);
    batch.add(1, request([9, 10, 11, 12], 100));
    const { made } = await finish(batch);
    const [all] = await alone(request([9, 10, 11, 12], 26));
    expect(made.get(1)).toEqual([all]);
    const wide = await generator.openBatch(weights, BUDGET, {});
    expect(wide.contextLength).toBe(128);
  });
});

describe('a request that fails', () => {
  const long = request([12, 30, 50], 30);
  /** No id of the vocabulary: its prefill fails. */
  const foreign = request([20, 999], 30);

  it('does not end those that begin with it, or are under way', async () => {
    const expected = await alone(long);
    const batch = await generator.openBatch(weights, BUDGET, {});
    batch.add(1, long);
    await batch.step();
    batch.add(2, foreign);
    batch.add(3, long);
    const { made, failed } = await finish(batch);
    expect([...failed.keys()]).toEqual([2]);
    expect(failed.get(2)).toMatch(/out of data bounds/);
    expect(made.get(3)).toEqual(expected);
    expect(made.get(1)).toEqual([expected[0]!.slice(2)]);
  });

  it('does so in a block of its prompt, too', async () => {
    const expected = await alone(long);
    const narrow = { ...BUDGET, prefillBytes: 4000 };
    const batch = await generator.openBatch(weights, narrow, {});
    batch.add(1, request([...Array.from({ length: 40 }, () => 20), 999], 5));
    batch.add(2, long);
    const { made, failed } = await finish(batch);
    expect([...failed.keys()]).toEqual([1]);
    expect(made.get(2)).toEqual(expected);
  });

  it('leaves nothing in its place that spoils whoever comes next', async () => {
    const apart = { ...traits, tied: false };
    const own = createGenerator({
      traits: apart,
      contextLength: 128,
      eosIds: [7, 5],
      runtime: onCpu(1),
    });
    const sound = sharpWeights(apart);
    const told = async (by: typeof sound, { ids, seeds, sampling }: DecodeRequest) =>
      (await own.generate(by, [{ ids, seeds }], sampling)).map((each) => [...each.ids]);
    const [doomed = []] = await told(sound, long);
    // Looked up only once the row has come so far.
    const bad = doomed.find((id, i) => i >= 2 && !doomed.slice(0, i).includes(id))!;
    const { dims, data } = sound.get('model.embed_tokens.weight')!;
    const hidden = dims[1]!;
    const broken = new Map(sound);
    broken.set('model.embed_tokens.weight', {
      dims,
      data: data.slice().fill(Number.NaN, bad * hidden, (bad + 1) * hidden),
    });
    const others = Array.from({ length: 40 }, (_, i) => request([8 + i, 30, 31], 30));
    const fine: DecodeRequest[] = [];
    for (const other of others) {
      const [ids = []] = await told(sound, other);
      if (ids.length > 15 && !ids.includes(bad) && !other.ids.includes(bad)) fine.push(other);
    }
    const [beside, next] = fine;
    const batch = await own.openBatch(broken, { ...BUDGET, rows: 2 }, {});
    batch.add(1, long);
    batch.add(2, beside!);
    batch.add(3, next!);
    const { made, failed } = await finish(batch);
    expect(failed.get(1)).toMatch(/not numbers/);
    expect([...failed.keys()]).toEqual([1]);
    expect(made.get(2)).toEqual(await told(sound, beside!));
    expect(made.get(3)).toEqual(await told(sound, next!));
    await own.close();
  });
});

it('goes on with others while a long prompt is prefilled', async () => {
  const batch = await generator.openBatch(weights, { ...BUDGET, prefillBytes: 4000 }, {});
  batch.add(1, request([20], 60));
  await batch.step();
  batch.add(
    2,
    request(
      Array.from({ length: 40 }, (_, i) => 8 + i),
      5,
    ),
  );
  const keys: number[][] = [];
  for (let i = 0; i < 6; i++) keys.push((await batch.step()).tokens.map(({ key }) => key));
  expect(keys).toEqual(Array.from({ length: 6 }, () => [1]));
  batch.stop(2, 0);
  batch.stop(1, 0);
  expect(batch.idle()).toBe(true);
});
