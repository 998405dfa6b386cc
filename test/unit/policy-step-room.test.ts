import { expect, it } from 'vitest';
import { onCpu } from '../../policy/graph/session.ts';
import { initialWeights } from '../../policy/models/initial-weights.ts';
import { residentMemory, trainingMemory } from '../../policy/training/memory-estimate.ts';
import { createTrainer } from '../../policy/training/trainer.ts';
import { TINY } from './support/tiny-policy.ts';
import { LORA, OBJECTIVE, OPTIMIZER } from './support/training-options.ts';

const MODEL = { traits: TINY.traits, lora: { rank: LORA.loraRank, alpha: LORA.loraAlpha } };
const PREDICTED = 3;
const MEMORY = { limit: 1e12, strict: true, recompute: false };

const sequence = (length: number) => ({
  promptIds: Array.from({ length: length - PREDICTED }, (_, i) => i % 60),
  completionIds: [1, 2, 3],
  rolloutLogprobs: [-5, -5, -5],
  advantage: 1,
  masked: false,
});

const peak = (length: number, reference: 'none' | 'base' = 'none'): number =>
  trainingMemory(
    MODEL,
    // The last token is predicted only.
    { rows: 1, length: length - 1, predicted: PREDICTED, shared: false },
    { recomputedLayers: 0, attentionParts: 1 },
    reference,
  );

it('room is asked for what a step takes beyond what the process holds', async () => {
  const trainer = await createTrainer({
    traits: TINY.traits,
    weights: initialWeights(TINY.traits, 1),
    trainable: LORA,
    runtime: onCpu(1),
  });
  const asked: number[] = [];
  const call = {
    makeRoom: async (growth: number, memory: object) => {
      asked.push(growth);
      expect(memory).toEqual(MEMORY);
    },
  };
  const budget = { microBatchTokens: 100, memory: MEMORY };
  const step = async (length: number, beta = 0) => {
    const objective = { ...OBJECTIVE, beta };
    const batch = { sequences: [sequence(length)], objective, optimizer: OPTIMIZER, ...budget };
    await trainer.gradientStep(batch, call);
  };
  const next = () => Math.round(asked.shift()!);
  try {
    await step(60);
    expect(next()).toBe(Math.round(peak(60) - residentMemory(MODEL, 1)));
    await step(40);
    expect(next()).toBe(0);
    await step(80);
    expect(next()).toBe(Math.round(peak(80) - peak(60)));
    // The reference's pass is over after each step, and so is its memory.
    await step(80, 0.1);
    await step(80, 0.1);
    expect(next()).toBe(Math.round(peak(80, 'base') - peak(80)));
    expect(next()).toBe(Math.round(peak(80, 'base') - peak(80)));
    await trainer.releaseSession();
    await step(80);
    expect(next()).toBe(Math.round(peak(80) - residentMemory(MODEL, 4)));
    // Of another graph nothing is held, and the one before is given up for it.
    const demonstrations = [sequence(80)];
    await trainer.supervise({ demonstrations, optimizer: OPTIMIZER, ...budget }, call);
    expect(next()).toBe(Math.round(peak(80) - residentMemory(MODEL, 4)));
    await step(80);
    expect(next()).toBe(Math.round(peak(80) - residentMemory(MODEL, 4)));
    expect(asked).toEqual([]);
  } finally {
    await trainer.close();
  }
}, 60_000);
