import { createHash } from 'node:crypto';
import type { AdamWOptions, ObjectiveOptions } from '../../contracts/policy.ts';
import { addInto } from './gradient-total.ts';
import {
  addSums,
  BATCH_SUMS,
  grpoSums,
  planBatch,
  preparePasses,
  type GrpoPass,
  type PlannedBatch,
  type RolloutBatch,
} from './grpo-batch.ts';
import { outcomeOf, type GradientOutcome } from './grpo-step.ts';
import type { MicroBatch } from './micro-batches.ts';
import { globalNorm } from './optimizer.ts';
import {
  applyGradients,
  requireFinite,
  tokenCounter,
  type TrainingCall,
  type TrainingState,
} from './training-state.ts';

/*
 * A gradient step of adapters that several workers share: each computes some of its micro-batches, one adds up and updates. Each
 * micro-batch's gradient travels by itself: sums of a shard would be rounded at other places than one worker's. Together they may
 * be many times what a step takes, so they pass through one at a time, on both sides.
 */

/** One of the parts of a step. */
export interface ShardOfStep {
  /** 0-based. */
  readonly shard: number;
  readonly shards: number;
}

/** One micro-batch: its gradient, all trained tensors in their order, and {@link MICRO_BATCH_NUMBERS}. Holds until the next is asked for. */
export interface MicroGradient {
  readonly gradient: Float32Array;
  readonly numbers: Float32Array;
}

/** Of a micro-batch: sums over its completion tokens, how many these are, and all of its tokens. */
export const MICRO_BATCH_NUMBERS = BATCH_SUMS.length + 2;

export interface GradientShard {
  /** Names the division: shards of one batch belong together where it is the same. */
  readonly plan: string;
  readonly microBatches: number;
  /**
   * Each is computed when it is asked for, in the trainer's own memory: once, and before the trainer's next call.
   * @throws ToolsampleError `non-finite`, or what the call's `checkAbort` throws
   */
  readonly micros: AsyncIterable<MicroGradient>;
  /** Tokens of all of them. */
  readonly tokens: number;
}

/** Prepares a shard, whose gradients are computed as they are asked for; nothing of the policy changes. */
export async function gradientShard(
  state: TrainingState,
  batch: RolloutBatch,
  { shard, shards }: ShardOfStep,
  call: TrainingCall,
): Promise<GradientShard> {
  const planned = planBatch(state, batch);
  const own = planned.predicted === 0 ? [] : shardsOf(planned.micros, shards)[shard];
  const micros = own ?? [];
  const passes = await preparePasses(state, batch, planned, micros, call);
  return {
    plan: planName(planned),
    microBatches: passes.length,
    micros: computeEach(state, passes, call),
    tokens: micros.reduce((sum, micro) => sum + micro.tokens, 0),
  };
}

async function* computeEach(
  state: TrainingState,
  passes: readonly GrpoPass[],
  call: TrainingCall,
): AsyncGenerator<MicroGradient> {
  const gradient = state.gradients.data;
  const count = tokenCounter(
    call,
    passes.map(({ micro }) => micro),
    1,
  );
  for (const { micro, run } of passes) {
    call.checkAbort?.();
    gradient.fill(0);
    const sums = await run(true);
    requireFinite(globalNorm(state.gradients), 'gradient');
    const numbers = [...BATCH_SUMS.map((name) => sums[name]), micro.targets.length, micro.tokens];
    count(micro);
    yield { gradient, numbers: Float32Array.from(numbers) };
  }
}

/**
 * The optimiser step on gradients that were computed elsewhere. Without any, nothing changes.
 * @param micros all of the batch's, in its order; each is added before the next is asked for
 * @throws ToolsampleError `non-finite`, or what `micros` throws; in both cases before any parameter changes
 */
export async function applyShards(
  state: TrainingState,
  micros: AsyncIterable<MicroGradient>,
  objective: Pick<ObjectiveOptions, 'beta'>,
  optimizer: AdamWOptions,
): Promise<GradientOutcome> {
  const total = state.gradients.data;
  total.fill(0);
  const totals = grpoSums(() => 0);
  let predicted = 0;
  let tokens = 0;
  for await (const { gradient, numbers } of micros) {
    addInto(total, gradient);
    addSums(
      totals,
      grpoSums((_, index) => numbers[index] ?? 0),
    );
    predicted += numbers[BATCH_SUMS.length] ?? 0;
    tokens += numbers[BATCH_SUMS.length + 1] ?? 0;
  }
  const norms = predicted === 0 ? 0 : await applyGradients(state, optimizer);
  return outcomeOf(objective, { totals, norms, steps: 1, predicted, tokens });
}

/** Micro-batches one after the other in parts of about as many tokens, padding included. A part may be empty. */
export function shardsOf(micros: readonly MicroBatch[], shards: number): MicroBatch[][] {
  const parts = Array.from({ length: shards }, (): MicroBatch[] => []);
  const whole = micros.reduce((sum, { rows, length }) => sum + rows * length, 0);
  let before = 0;
  for (const micro of micros) {
    const size = micro.rows * micro.length;
    // Where its middle lies.
    parts[Math.floor((shards * (before + size / 2)) / whole)]?.push(micro);
    before += size;
  }
  return parts;
}

function planName({ micros, form }: PlannedBatch): string {
  // How many layers are recomputed changes no result.
  const division = [form.attentionParts, micros.map(({ members, length }) => [length, members])];
  return createHash('sha256').update(JSON.stringify(division)).digest('hex');
}
