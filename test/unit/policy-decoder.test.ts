import { describe, expect, it } from 'vitest';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import { floatData, floats, onCpu, openSession } from '../../policy/graph/session.ts';
import { initialWeights, type Weights } from '../../policy/models/initial-weights.ts';
import { tensorSpecs, type ModelTraits } from '../../policy/models/model-traits.ts';
import { initialAdapters, loraNames } from '../../policy/models/lora.ts';
import { mergeAdapters } from '../../policy/models/merged-weights.ts';
import { createRotationTables, microBatchFeeds } from '../../policy/training/micro-batch-feeds.ts';
import { planMicroBatches } from '../../policy/training/micro-batches.ts';
import { separateRows } from '../../policy/training/packed-rows.ts';
import { buildLogprobGraph, type TrainingModel } from '../../policy/training/training-graph.ts';
import { namedFeeds } from '../../policy/training/training-state.ts';
import { referenceLogits, referenceLogprob } from './support/reference-decoder.ts';

const TRAITS: ModelTraits = {
  hidden: 16,
  layers: 2,
  heads: 6,
  kvHeads: 2,
  headDim: 4,
  ffn: 20,
  vocab: 15,
  ropeTheta: 100,
  rmsEps: 1e-5,
  tied: false,
};

const SEQUENCES = [
  { promptIds: [1, 2, 3], completionIds: [4, 5, 4, 6] },
  { promptIds: [7, 8], completionIds: [9] },
  { promptIds: [10, 3, 3, 3, 2], completionIds: [13, 14, 1, 0] },
];

function lively(traits: ModelTraits): Weights {
  return new Map(
    [...initialWeights(traits, 1)].map(([name, { dims, data }]) => {
      const random = seededRandom(hashSeed(name));
      return [name, { dims, data: data.map((x) => x + random() - 0.5) }];
    }),
  );
}

/** Log-probabilities of the completion tokens of all sequences in one padded batch, in the batch's order. */
async function graphLogprobs(
  model: TrainingModel,
  weights: Weights,
  adapters: Weights,
  temperature: number,
): Promise<{ members: readonly number[]; logprobs: number[] }> {
  const [micro] = planMicroBatches(SEQUENCES, separateRows(SEQUENCES), 1000);
  if (micro === undefined) throw new Error('one micro-batch is planned');
  const session = await openSession(buildLogprobGraph(model), onCpu(2));
  const feeds = {
    ...namedFeeds(tensorSpecs(model.traits), weights),
    ...Object.fromEntries([...adapters].map(([name, t]) => [name, floats(t.data, t.dims)])),
    ...microBatchFeeds(createRotationTables(model.traits), micro, temperature),
  };
  const results = await session.run(feeds, ['logprobs']);
  await session.release();
  return { members: micro.members, logprobs: [...floatData(results, 'logprobs')] };
}

function expectedLogprobs(
  traits: ModelTraits,
  weights: Weights,
  members: readonly number[],
): number[] {
  return members.flatMap((index) => {
    const { promptIds, completionIds } = SEQUENCES[index] ?? { promptIds: [], completionIds: [] };
    const all = referenceLogits(traits, weights, [...promptIds, ...completionIds]);
    return completionIds.map((id, t) => referenceLogprob(all[promptIds.length - 1 + t] ?? [], id));
  });
}

function expectClose(
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) =>
    expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(tolerance),
  );
}

describe('the Llama forward pass', () => {
  it.each([
    { heads: 6, kvHeads: 2, tied: false },
    { heads: 4, kvHeads: 4, tied: true },
    { heads: 4, kvHeads: 1, tied: true },
  ])('agrees with a naive one, padding and grouped heads included: %o', async (variant) => {
    const traits = { ...TRAITS, ...variant };
    const weights = lively(traits);
    const { members, logprobs } = await graphLogprobs(
      { traits, lora: null },
      weights,
      new Map(),
      1,
    );
    expectClose(logprobs, expectedLogprobs(traits, weights, members), 5e-5);
  });

  it('at another temperature is a softmax of logits divided by it', async () => {
    const weights = lively(TRAITS);
    const logits = referenceLogits(TRAITS, weights, [1, 2, 3]).at(-1) ?? [];
    const { members, logprobs } = await graphLogprobs(
      { traits: TRAITS, lora: null },
      weights,
      new Map(),
      0.5,
    );
    const offset = members
      .slice(0, members.indexOf(0))
      .reduce((n, i) => n + (SEQUENCES[i]?.completionIds.length ?? 0), 0);
    expect(logprobs[offset]).toBeCloseTo(referenceLogprob(logits, 4, 0.5), 4);
  });
});

describe('LoRA', () => {
  it('changes nothing at first, and the merged weights are the adapted policy', async () => {
    const weights = lively(TRAITS);
    const lora = { rank: 3, alpha: 6 };
    const adapters = initialAdapters(TRAITS, { ...lora, seed: 4 });
    const model = { traits: TRAITS, lora };
    const base = await graphLogprobs({ traits: TRAITS, lora: null }, weights, new Map(), 1);
    expect(await graphLogprobs(model, weights, adapters, 1)).toEqual(base);

    for (const { name, role } of tensorSpecs(TRAITS)) {
      if (role !== 'projection' && role !== 'residual-projection') continue;
      const b = adapters.get(loraNames(name).b);
      if (!b) throw new Error(`${name} has an adapter`);
      const random = seededRandom(hashSeed(name, 'b'));
      b.data.forEach((_, i) => (b.data[i] = random() - 0.5));
    }
    const merged = await mergeAdapters(TRAITS, weights, adapters, lora.alpha / lora.rank, 1);
    const adapted = await graphLogprobs(model, weights, adapters, 1);
    const afterMerge = await graphLogprobs({ traits: TRAITS, lora: null }, merged, new Map(), 1);
    expect(adapted.logprobs).not.toEqual(base.logprobs);
    expectClose(adapted.logprobs, afterMerge.logprobs, 5e-5);
  });
});

describe('initial weights', () => {
  it('are a function of the seed, with the deviations of the recipe', () => {
    const traits = { ...TRAITS, hidden: 64, ffn: 96, vocab: 200, qkvBias: true, qkNorm: true };
    const weights = initialWeights(traits, 3);
    expect(initialWeights(traits, 3)).toEqual(weights);
    expect(initialWeights(traits, 4)).not.toEqual(weights);
    const deviation = (name: string): number => {
      const data = weights.get(name)?.data ?? new Float32Array(0);
      return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    };
    expect(deviation('model.embed_tokens.weight') / 0.03).toBeCloseTo(1, 1);
    expect(deviation('model.layers.1.mlp.up_proj.weight') * 8).toBeCloseTo(1, 1);
    expect(deviation('model.layers.1.mlp.down_proj.weight') / 0.005).toBeCloseTo(1, 1);
    expect([...(weights.get('model.norm.weight')?.data ?? [])]).toEqual(
      Array.from({ length: 64 }, () => 1),
    );
    const values = (name: string) => [
      ...(weights.get(`model.layers.0.self_attn.${name}`)?.data ?? []),
    ];
    expect(values('k_norm.weight')).toEqual([1, 1, 1, 1]);
    expect(values('k_proj.bias')).toEqual(Array.from({ length: 8 }, () => 0));
    // Parts that a family has besides the common ones do not change what the others start from.
    const plain = initialWeights({ ...traits, qkvBias: false, qkNorm: false }, 3);
    for (const [name, tensor] of plain) expect(weights.get(name)).toEqual(tensor);
  });
});
