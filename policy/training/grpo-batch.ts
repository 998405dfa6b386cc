import { ToolsampleError } from '../../contracts/errors.ts';
import type { ObjectiveOptions, TrainingMemory, TrainingSequence } from '../../contracts/policy.ts';
import { floatData, floats, floatScalar, type Feeds } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { tokenCosts } from '../models/model-traits.ts';
import { GRPO_SUMS } from './grpo-loss.ts';
import { klReference, type KlReference } from './memory-estimate.ts';
import type { MicroBatch } from './micro-batches.ts';
import { sharedRows } from './packed-rows.ts';
import { openReference, type ReferencePass } from './reference-pass.ts';
import { planStep, UNLIMITED, type StepPlan } from './step-plan.ts';
import { makeRoom } from './step-room.ts';
import { tokenWeights } from './token-weights.ts';
import {
  addMicroBatch,
  fetchedNumber,
  requireFinite,
  sessionFor,
  type TrainingCall,
  type TrainingState,
} from './training-state.ts';

/** What GRPO computes gradients of. */
export interface RolloutBatch {
  readonly sequences: readonly TrainingSequence[];
  readonly objective: ObjectiveOptions;
  readonly microBatchTokens: number;
  /** Left out: as much memory as it takes. */
  readonly memory?: TrainingMemory;
  /** What training had changed of the policy that KL is measured to: all tensors, or the adapters. Left out: the base itself. */
  readonly reference?: Weights;
}

type WeightedSequence = TrainingSequence & { readonly weight: number };

/** A batch divided into micro-batches. Masked sequences are left out, and completions of one prompt share its computation. */
export interface PlannedBatch extends StepPlan {
  readonly active: readonly WeightedSequence[];
  /** Completion tokens that the loss is about. */
  readonly predicted: number;
}

/** {@link GRPO_SUMS}, and |old − rollout|: how far the log-probabilities that were sampled with are from the trainer's. */
export const BATCH_SUMS = [...GRPO_SUMS, 'rollout_difference'] as const;

/** Sums over a micro-batch's completion tokens. */
export type GrpoSums = { [name in (typeof BATCH_SUMS)[number]]: number };

/** One micro-batch with all that stays the same over the optimiser steps on it. */
export interface GrpoPass {
  readonly micro: MicroBatch;
  /**
   * Adds the micro-batch's gradient to the state's. The first pass's own log-probabilities are the old ones of the later ones.
   * @throws ToolsampleError `non-finite`
   */
  readonly run: (first: boolean) => Promise<GrpoSums>;
}

/** Divides a batch: the same on every machine that can hold it as it is. */
export function planBatch(state: TrainingState, batch: RolloutBatch): PlannedBatch {
  const weights = tokenWeights(batch.sequences, batch.objective);
  const active = batch.sequences.flatMap((sequence, i) =>
    sequence.masked ? [] : [{ ...sequence, weight: weights[i] ?? 0 }],
  );
  const costs = tokenCosts(state.model.traits);
  const plan = planStep(
    state.model,
    active,
    (maxTokens) => sharedRows(active, costs, maxTokens),
    batch.microBatchTokens,
    batch.memory ?? UNLIMITED,
    referenceOf(batch),
  );
  const predicted = plan.micros.reduce((sum, { targets }) => sum + targets.length, 0);
  return { ...plan, active, predicted };
}

function referenceOf({ objective, reference }: RolloutBatch): KlReference {
  return klReference(objective.beta, reference !== undefined);
}

/** Prepares some of a batch's micro-batches; the reference's log-probabilities are computed here where the loss needs them. */
export async function preparePasses(
  state: TrainingState,
  batch: RolloutBatch,
  { active, form }: PlannedBatch,
  micros: readonly MicroBatch[],
  call: TrainingCall,
): Promise<GrpoPass[]> {
  if (micros.length === 0) return [];
  const { objective, memory } = batch;
  await makeRoom(state, 'grpo', { micros, form }, { call, memory, reference: referenceOf(batch) });
  const reference = objective.beta > 0 ? await openReference(state, batch.reference, form) : null;
  const prepared: PreparedMicroBatch[] = [];
  try {
    for (const micro of micros) {
      call.checkAbort?.();
      prepared.push(await prepare(micro, active, objective, reference));
    }
  } finally {
    // Before the training graph runs: the two would need their memory at once.
    await reference?.release();
  }
  const session = await sessionFor(state, 'grpo', form);
  return prepared.map(({ micro, old, rollout, feeds }) => {
    const run = async (first: boolean): Promise<GrpoSums> => {
      const results = await addMicroBatch(
        state,
        session,
        micro,
        objective.temperature,
        { ...feeds, on_policy: floatScalar(first ? 1 : 0) },
        fetchBuffers(old.length),
      );
      requireFinite(fetchedNumber(results, 'loss'), 'loss');
      if (first) old.set(floatData(results, 'logprobs'));
      return grpoSums((name) =>
        name === 'rollout_difference' ? distance(old, rollout) : fetchedNumber(results, name),
      );
    };
    return { micro, run };
  });
}

/** One number for each of the sums. */
export function grpoSums(value: (name: keyof GrpoSums, index: number) => number): GrpoSums {
  const sums = BATCH_SUMS.map((name, index) => [name, value(name, index)] as const);
  return Object.fromEntries(sums) as GrpoSums;
}

/** Adds in place. */
export function addSums(to: GrpoSums, sums: GrpoSums): void {
  for (const name of BATCH_SUMS) to[name] += sums[name];
}

/** In fp32, as the other sums: shards pass it on in that. */
function distance(a: Float32Array, b: Float32Array): number {
  return Math.fround(a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0));
}

function fetchBuffers(tokens: number): Feeds {
  const sums = GRPO_SUMS.map((name) => [name, floatScalar(0)] as const);
  return { ...Object.fromEntries(sums), logprobs: floats(new Float32Array(tokens), [tokens]) };
}

interface PreparedMicroBatch {
  readonly micro: MicroBatch;
  /** Filled by the first pass. */
  readonly old: Float32Array;
  readonly rollout: Float32Array;
  /** All that the loss looks at but for the policy. */
  readonly feeds: Feeds;
}

async function prepare(
  micro: MicroBatch,
  sequences: readonly WeightedSequence[],
  objective: ObjectiveOptions,
  reference: ReferencePass | null,
): Promise<PreparedMicroBatch> {
  const size = micro.targets.length;
  const dims = [size];
  const members = micro.members.flatMap((index) => sequences[index] ?? []);
  const fill = (value: (sequence: WeightedSequence) => number): Float32Array =>
    Float32Array.from(
      members.flatMap((sequence) => sequence.completionIds.map(() => value(sequence))),
    );
  const old = new Float32Array(size);
  const rollout = Float32Array.from(members.flatMap(({ rolloutLogprobs }) => rolloutLogprobs));
  if (rollout.length !== size) {
    throw new ToolsampleError(
      'corrupt-artifact',
      'a rollout has not one log-probability per token',
    );
  }
  const referenceValues =
    reference === null
      ? new Float32Array(size)
      : await reference.logprobs(micro, objective.temperature);
  return {
    micro,
    old,
    rollout,
    feeds: {
      advantage: floats(
        fill(({ advantage }) => advantage),
        dims,
      ),
      weight: floats(
        fill(({ weight }) => weight),
        dims,
      ),
      old_logprobs: floats(old, dims),
      rollout_logprobs: floats(rollout, dims),
      reference_logprobs: floats(referenceValues, dims),
      clip_low: floatScalar(1 - objective.epsilon),
      clip_high: floatScalar(1 + objective.epsilonHigh),
      importance_cap: floatScalar(objective.importanceSamplingCap),
      beta: floatScalar(objective.beta),
    },
  };
}
