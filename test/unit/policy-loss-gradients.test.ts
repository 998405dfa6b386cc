import { describe, expect, it } from 'vitest';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import type { TrainMode } from '../../contracts/config.ts';
import { floats, floatScalar, onCpu, openSession, type Feeds } from '../../policy/graph/session.ts';
import { initialWeights, type WeightTensor } from '../../policy/models/initial-weights.ts';
import type { ModelTraits } from '../../policy/models/model-traits.ts';
import { buildGrpoGraph } from '../../policy/training/grpo-loss.ts';
import { planMicroBatches } from '../../policy/training/micro-batches.ts';
import { separateRows, sharedRows } from '../../policy/training/packed-rows.ts';
import { buildSupervisedGraph } from '../../policy/training/supervised-loss.ts';
import { PLAIN_FORM } from '../../policy/training/training-graph.ts';
import {
  addMicroBatch,
  createTrainingState,
  fetchedNumber,
  type TrainingSession,
  type TrainingState,
} from '../../policy/training/training-state.ts';

const TRAITS: ModelTraits = {
  hidden: 16,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffn: 24,
  vocab: 20,
  ropeTheta: 100,
  rmsEps: 1e-5,
  tied: true,
};

function randomArray(seed: number, length: number, scale: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => scale * (2 * random() - 1));
}

/** Weights far enough from zero everywhere that every path carries a gradient. */
function livelyWeights(traits: ModelTraits): Map<string, WeightTensor> {
  return new Map(
    [...initialWeights(traits, 5)].map(([name, { dims, data }]) => {
      const noise = randomArray(hashSeed(name), data.length, 0.3);
      return [name, { dims, data: data.map((x, i) => x + (noise[i] ?? 0)) }];
    }),
  );
}

const SEQUENCES = [
  { promptIds: [1, 2, 3], completionIds: [4, 5, 4, 4, 6] },
  { promptIds: [7], completionIds: [1, 1] },
  { promptIds: [9, 10, 11, 12], completionIds: [13, 14, 15] },
  { promptIds: [1, 2, 3], completionIds: [8, 2] },
];

/** Costs that always put the completions of a prompt into one row. */
const ALWAYS = { linear: 1, attention: 0 };

interface Case {
  readonly tied: boolean;
  readonly mode: TrainMode;
  readonly kvHeads: number;
  readonly loss: 'grpo' | 'supervised';
  readonly shared?: boolean;
  readonly parts?: number;
}

const CASES: Case[] = [
  { tied: true, mode: 'full', kvHeads: 2, loss: 'supervised' },
  { tied: true, mode: 'full', kvHeads: 2, loss: 'grpo' },
  { tied: false, mode: 'full', kvHeads: 4, loss: 'grpo' },
  { tied: false, mode: 'full', kvHeads: 1, loss: 'supervised' },
  { tied: true, mode: 'full', kvHeads: 2, loss: 'grpo', shared: true },
  { tied: true, mode: 'full', kvHeads: 2, loss: 'grpo', shared: true, parts: 4 },
  { tied: true, mode: 'lora', kvHeads: 2, loss: 'grpo' },
  { tied: false, mode: 'lora', kvHeads: 1, loss: 'supervised', parts: 3 },
  { tied: false, mode: 'lora', kvHeads: 2, loss: 'supervised' },
];

function lossFeeds(loss: Case['loss'], size: number): Feeds {
  const dims = [size];
  const weight = floats(
    randomArray(3, size, 0.5).map((x) => 0.2 + Math.abs(x)),
    dims,
  );
  if (loss === 'supervised') return { weight };
  return {
    weight,
    advantage: floats(randomArray(4, size, 2), dims),
    // Spread around the policy's own values (about −3): ratios from e⁻² to e², so both clips and the cap are met.
    old_logprobs: floats(
      randomArray(15, size, 3).map((x) => x - 3),
      dims,
    ),
    rollout_logprobs: floats(
      randomArray(6, size, 1).map((x) => x - 3),
      dims,
    ),
    reference_logprobs: floats(
      randomArray(7, size, 1).map((x) => x - 3),
      dims,
    ),
    on_policy: floatScalar(0),
    clip_low: floatScalar(0.8),
    clip_high: floatScalar(1.28),
    importance_cap: floatScalar(2),
    beta: floatScalar(0.3),
  };
}

async function prepare({ tied, mode, kvHeads, loss, shared = false, parts = 1 }: Case): Promise<{
  state: TrainingState;
  evaluate: () => Promise<{ loss: number; clippedLow: number; clippedHigh: number }>;
}> {
  const traits = { ...TRAITS, tied, kvHeads };
  const state = await createTrainingState({
    traits,
    weights: livelyWeights(traits),
    trainable: { mode, loraRank: 2, loraAlpha: 4, seed: 1 },
    runtime: onCpu(1),
  });
  if (mode === 'lora') state.parameters.data.set(randomArray(8, state.parameters.data.length, 0.3));
  const [micro] = planMicroBatches(
    SEQUENCES,
    shared ? sharedRows(SEQUENCES, ALWAYS, 1000) : separateRows(SEQUENCES),
    1000,
  );
  if (micro === undefined) throw new Error('one micro-batch is planned');
  const form = { ...PLAIN_FORM, attentionParts: parts };
  const session = await openSession(
    loss === 'supervised'
      ? buildSupervisedGraph(state.model, form)
      : buildGrpoGraph(state.model, form),
    onCpu(1),
  );
  const names = loss === 'supervised' ? ['loss'] : ['loss', 'clipped_low', 'clipped_high'];
  const kept: TrainingSession = { kind: loss, session, form, peak: 0 };
  return {
    state,
    evaluate: async () => {
      state.gradients.data.fill(0);
      const fetches = Object.fromEntries(names.map((name) => [name, floatScalar(0)]));
      const feeds = lossFeeds(loss, micro.targets.length);
      const results = await addMicroBatch(state, kept, micro, 0.9, feeds, fetches);
      const read = (name: string): number =>
        names.includes(name) ? fetchedNumber(results, name) : 0;
      return {
        loss: read('loss'),
        clippedLow: read('clipped_low'),
        clippedHigh: read('clipped_high'),
      };
    },
  };
}

describe('the gradient of the whole loss', () => {
  it.each(CASES)('agrees with finite differences on every tensor: %o', async (which) => {
    const { state, evaluate } = await prepare(which);
    const start = await evaluate();
    if (which.loss === 'grpo') {
      expect(start.clippedLow).toBeGreaterThan(0);
      expect(start.clippedHigh).toBeGreaterThan(0);
    }
    const gradients = state.gradients.data.slice();
    let offset = 0;
    for (const [name, { data }] of state.parameters.views) {
      const gradient = gradients.subarray(offset, offset + data.length);
      offset += data.length;
      const norm = Math.hypot(...gradient);
      expect(norm, `${name} has a gradient`).toBeGreaterThan(1e-6);
      // Half along the gradient, for a clear signal; half random, to meet every element.
      const noise = randomArray(hashSeed(name, 'direction'), data.length, 1);
      const noiseNorm = Math.hypot(...noise);
      const direction = noise.map((x, i) => x / noiseNorm + (gradient[i] ?? 0) / norm);
      const expected = direction.reduce((sum, d, i) => sum + d * (gradient[i] ?? 0), 0);
      const origin = data.slice();
      const step = 4e-3;
      const at = async (distance: number): Promise<number> => {
        data.forEach((_, i) => (data[i] = (origin[i] ?? 0) + distance * (direction[i] ?? 0)));
        return (await evaluate()).loss;
      };
      const slope = ((await at(step)) - (await at(-step))) / (2 * step);
      data.set(origin);
      expect(Math.abs(slope - expected) / Math.abs(expected), name).toBeLessThan(5e-3);
    }
  });
});
