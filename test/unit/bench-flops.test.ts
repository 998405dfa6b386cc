import { expect, test } from 'vitest';
import {
  completionWork,
  forwardFlops,
  loraTrainingFlops,
  sequenceWork,
  sharedPromptWork,
  sumWork,
  trainingFlops,
} from '../../bench/flops.ts';
import { median } from '../../bench/measure.ts';
import { elementCount, tensorSpecs, type ModelTraits } from '../../policy/models/model-traits.ts';

const traits: ModelTraits = {
  hidden: 8,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 2,
  ffn: 12,
  vocab: 100,
  ropeTheta: 10_000,
  rmsEps: 1e-6,
  tied: true,
};
/** q and o 8 × 8, k and v 4 × 8, three of 12 × 8. */
const LAYER_WEIGHTS = 64 + 32 + 32 + 64 + 3 * 96;

test('forward: two FLOPs a weight and token, attention over what is seen, logits where they are asked for', () => {
  expect(forwardFlops(traits, { tokens: 1, seen: 0, predicted: 0 })).toBe(2 * 2 * LAYER_WEIGHTS);
  // A query of width 8 against one position: 8 multiply-adds for the score, 8 for the value, in both layers.
  expect(forwardFlops(traits, { tokens: 0, seen: 1, predicted: 0 })).toBe(2 * 2 * (8 + 8));
  expect(forwardFlops(traits, { tokens: 0, seen: 0, predicted: 1 })).toBe(2 * 800);
});

test('a token that is predicted meets every weight but norms and biases once', () => {
  const weights = tensorSpecs(traits)
    .filter(({ role }) => role !== 'norm')
    .reduce((sum, { dims }) => sum + elementCount(dims), 0);
  const flops = forwardFlops(traits, { tokens: 1, seen: 0, predicted: 1 });
  expect(flops).toBe(2 * weights);
  const untied = forwardFlops({ ...traits, tied: false }, { tokens: 1, seen: 0, predicted: 1 });
  expect(untied).toBe(flops);
  const adorned = { ...traits, qkvBias: true, qkNorm: true };
  expect(forwardFlops(adorned, { tokens: 1, seen: 0, predicted: 1 })).toBe(flops);
});

test('a causal sequence sees 1 + 2 + … positions', () => {
  expect(sequenceWork(4, 3)).toEqual({ tokens: 4, seen: 10, predicted: 3 });
});

test('completions share their prompt, and continue its positions', () => {
  const work = completionWork([{ promptTokens: 3, completions: [1, 3] }]);
  // The prompt gives both first tokens; of the longer completion two go in again, at positions 4 and 5.
  expect(work).toEqual({ tokens: 3 + 2, seen: 6 + 4 + 5, predicted: 1 + 2 });
  const alone = completionWork([
    { promptTokens: 3, completions: [1] },
    { promptTokens: 3, completions: [3] },
  ]);
  expect(alone).toEqual(sumWork([work, sequenceWork(3, 1)]));
});

test('training on shared prompts: all but the last token of a prompt go in once', () => {
  const alone = sharedPromptWork([{ promptTokens: 3, completions: [2] }]);
  // As a plain sequence of 5 tokens, whose last one predicts nothing.
  expect(alone).toEqual(sequenceWork(4, 2));
  const pair = sharedPromptWork([{ promptTokens: 3, completions: [2, 2] }]);
  expect(pair).toEqual({ tokens: 2 + 2 * 2, seen: 1 + 2 + 2 * (3 + 4), predicted: 4 });
});

test('training: three forward passes; frozen weights need no gradient', () => {
  const work = sequenceWork(5, 4);
  expect(trainingFlops(traits, work)).toBe(3 * forwardFlops(traits, work));
  const attention = 3 * forwardFlops(traits, { tokens: 0, seen: work.seen, predicted: 0 });
  const frozen = 2 * forwardFlops(traits, { ...work, seen: 0 });
  // Rank 1: an A of in and a B of out numbers for each of the seven projections of a layer.
  const adapters = 2 * (16 + 12 + 12 + 16 + 20 + 20 + 20);
  expect(loraTrainingFlops(traits, 1, work)).toBe(attention + frozen + 3 * 2 * adapters * 5);
});

test('median of odd, even and single counts', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([7])).toBe(7);
});
