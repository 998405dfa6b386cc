import { expect, it } from 'vitest';
import { onCpu } from '../../policy/graph/session.ts';
import { initialWeights } from '../../policy/models/initial-weights.ts';
import { loraSpecs } from '../../policy/models/lora.ts';
import { totalElements, type ModelTraits } from '../../policy/models/model-traits.ts';
import { trainingMemory, type KlReference } from '../../policy/training/memory-estimate.ts';
import { createTrainer } from '../../policy/training/trainer.ts';
import { OBJECTIVE, OPTIMIZER } from './support/training-options.ts';

/** Nearly all of its memory is attention: a whole one over 2,048 tokens takes 268 MB. */
const TRAITS: ModelTraits = {
  hidden: 32,
  layers: 1,
  heads: 16,
  kvHeads: 4,
  headDim: 4,
  ffn: 32,
  vocab: 64,
  ropeTheta: 10_000,
  rmsEps: 1e-5,
  tied: true,
};
const LORA = { rank: 4, alpha: 8 };
const LENGTH = 2048;
const PREDICTED = 16;
const WHOLE_ATTENTION = 4 * TRAITS.heads * LENGTH ** 2;

const peakMemory = (): number => 1024 * process.resourceUsage().maxRSS;

const batch = (beta: number) => ({
  sequences: [
    {
      promptIds: Array.from({ length: LENGTH - PREDICTED }, (_, i) => i % 60),
      completionIds: Array.from({ length: PREDICTED }, (_, i) => i),
      rolloutLogprobs: Array.from({ length: PREDICTED }, () => -4),
      advantage: 1,
      masked: false,
    },
  ],
  objective: { ...OBJECTIVE, beta, maxCompletionLength: PREDICTED },
  optimizer: { ...OPTIMIZER, learningRate: 0 },
  microBatchTokens: LENGTH,
});

it('the pass of a reference attends in parts, too: less than one whole attention comes on top', async () => {
  const trainer = await createTrainer({
    traits: TRAITS,
    weights: initialWeights(TRAITS, 1),
    trainable: { mode: 'lora', loraRank: LORA.rank, loraAlpha: LORA.alpha, seed: 1 },
    runtime: onCpu(1),
  });
  try {
    // Twice: what training itself holds is there then.
    await trainer.gradientStep(batch(0));
    await trainer.gradientStep(batch(0));
    const before = peakMemory();
    const { kl } = await trainer.gradientStep(batch(0.1));
    expect(kl).toBeCloseTo(0, 6);
    expect(peakMemory() - before).toBeLessThan(WHOLE_ATTENTION);
  } finally {
    await trainer.close();
  }
}, 60_000);

it('is counted in the estimate, with one part of attention at a time', () => {
  const model = { traits: TRAITS, lora: LORA };
  const size = { rows: 1, length: LENGTH, predicted: PREDICTED, shared: false };
  const more = (attentionParts: number): number => {
    const form = { recomputedLayers: 0, attentionParts };
    return trainingMemory(model, size, form, 'base') - trainingMemory(model, size, form);
  };
  // Of another policy than the base also its trained tensors are held.
  const form = { recomputedLayers: 0, attentionParts: 8 };
  const estimate = (reference: KlReference) => trainingMemory(model, size, form, reference);
  const adapters = 4 * totalElements(loraSpecs(TRAITS, LORA.rank));
  expect(estimate('trained') - estimate('base')).toBeCloseTo(adapters, 0);
  expect(more(1)).toBeGreaterThan(3 * WHOLE_ATTENTION);
  expect(more(8)).toBeGreaterThan((3 / 8) * WHOLE_ATTENTION);
  expect(more(8)).toBeLessThan(0.6 * WHOLE_ATTENTION);
});
