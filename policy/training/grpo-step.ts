import { ToolsampleError } from '../../contracts/errors.ts';
import type {
  AdamWOptions,
  ObjectiveOptions,
  TrainingMemory,
  TrainingSequence,
} from '../../contracts/policy.ts';
import { floatData, floats, floatScalar, type Feeds } from '../graph/session.ts';
import type { Weights } from '../models/initial-weights.ts';
import { tokenCosts } from '../models/model-traits.ts';
import { GRPO_SUMS } from './grpo-loss.ts';
import { microBatchFeeds } from './micro-batch-feeds.ts';
import type { MicroBatch } from './micro-batches.ts';
import { sharedRows } from './packed-rows.ts';
import { planStep, UNLIMITED } from './step-plan.ts';
import { PLAIN_FORM } from './training-graph.ts';
import { tokenWeights } from './token-weights.ts';
import {
  addMicroBatch,
  applyGradients,
  fetchedNumber,
  policyFeeds,
  requireFinite,
  sessionFor,
  tokenCounter,
  type TrainingCall,
  type TrainingState,
} from './training-state.ts';

export interface GradientBatch {
  readonly sequences: readonly TrainingSequence[];
  readonly objective: ObjectiveOptions;
  readonly optimizer: AdamWOptions;
  readonly microBatchTokens: number;
  /** Left out: as much memory as it takes. */
  readonly memory?: TrainingMemory;
  /** The base policy for the KL term; needed when beta > 0 and all weights train. (LoRA: the base is at hand.) */
  readonly reference?: Weights;
}

/** As `GradientResult`, without artifacts and time. Means over the optimiser steps where there are several. */
export interface GradientOutcome {
  readonly loss: number;
  readonly gradNorm: number;
  readonly entropy: number;
  readonly kl: number | null;
  readonly clipRatioLow: number;
  readonly clipRatioHigh: number;
  readonly tokens: number;
}

/** What stays the same over the optimiser steps on a batch: one per micro-batch. */
interface PreparedBatch {
  readonly micro: MicroBatch;
  readonly feeds: Feeds;
  /** Filled by the first step: the log-probabilities that later ratios are taken to. */
  readonly old: Float32Array;
}

type Sums = { [name in (typeof GRPO_SUMS)[number]]: number };

/**
 * One batch of GRPO: `numIterations` optimiser steps. The first step's own log-probabilities are the old ones of the later steps,
 * so its ratio is exactly 1 and no further forward pass is needed.
 * Completions of one prompt share its computation. Masked sequences are not computed. With nothing left, nothing changes.
 * @throws ToolsampleError `non-finite`; the parameters are then those of the last good step.
 */
export async function gradientStep(
  state: TrainingState,
  batch: GradientBatch,
  call: TrainingCall,
): Promise<GradientOutcome> {
  const { objective } = batch;
  const steps = objective.numIterations;
  const weights = tokenWeights(batch.sequences, objective);
  const active = batch.sequences.flatMap((sequence, i) =>
    sequence.masked ? [] : [{ ...sequence, weight: weights[i] ?? 0 }],
  );
  const costs = tokenCosts(state.model.traits);
  const { micros, form } = planStep(
    state.model,
    active,
    (maxTokens) => sharedRows(active, costs, maxTokens),
    batch.microBatchTokens,
    batch.memory ?? UNLIMITED,
  );
  const predicted = micros.reduce((sum, { targets }) => sum + targets.length, 0);
  const totals: Sums = { loss: 0, entropy: 0, kl: 0, clipped_low: 0, clipped_high: 0 };
  let norms = 0;
  const count = tokenCounter(call, micros, steps);
  const reference = objective.beta > 0 ? await referenceLogprobs(state, batch) : null;
  const prepared: PreparedBatch[] = [];
  if (predicted > 0) {
    const session = await sessionFor(state, 'grpo', form);
    for (const micro of micros) {
      call.checkAbort?.();
      prepared.push(await prepare(state, micro, active, objective, reference));
    }
    for (let step = 0; step < steps; step++) {
      state.gradients.data.fill(0);
      for (const { micro, feeds, old } of prepared) {
        call.checkAbort?.();
        const results = await addMicroBatch(
          state,
          session,
          micro,
          objective.temperature,
          { ...feeds, on_policy: floatScalar(step === 0 ? 1 : 0) },
          fetchBuffers(old.length),
        );
        requireFinite(fetchedNumber(results, 'loss'), 'loss');
        for (const name of GRPO_SUMS) totals[name] += fetchedNumber(results, name);
        if (step === 0) old.set(floatData(results, 'logprobs'));
        count(micro);
      }
      norms += await applyGradients(state, batch.optimizer);
    }
  }
  const perToken = (sum: number): number => (predicted === 0 ? 0 : sum / (predicted * steps));
  return {
    loss: totals.loss / steps,
    gradNorm: norms / steps,
    entropy: perToken(totals.entropy),
    kl: objective.beta > 0 ? perToken(totals.kl) : null,
    clipRatioLow: perToken(totals.clipped_low),
    clipRatioHigh: perToken(totals.clipped_high),
    tokens: steps * micros.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

function fetchBuffers(tokens: number): Feeds {
  const sums = GRPO_SUMS.map((name) => [name, floatScalar(0)] as const);
  return { ...Object.fromEntries(sums), logprobs: floats(new Float32Array(tokens), [tokens]) };
}

type ReferencePass = (micro: MicroBatch, temperature: number) => Promise<Float32Array>;

/** A forward pass of the base policy. */
async function referenceLogprobs(
  state: TrainingState,
  batch: GradientBatch,
): Promise<ReferencePass> {
  const { traits } = state.model;
  const base = batch.reference ?? state.base;
  if (base === null) {
    throw new ToolsampleError('config', 'beta > 0 needs the base policy as reference');
  }
  const feeds = policyFeeds(traits, base);
  const { session } = await sessionFor(state, 'reference', PLAIN_FORM);
  return async (micro, temperature) => {
    const inputs = { ...feeds, ...microBatchFeeds(state.rotations, micro, temperature) };
    return floatData(await session.run(inputs, ['logprobs']), 'logprobs');
  };
}

async function prepare(
  state: TrainingState,
  micro: MicroBatch,
  sequences: readonly (TrainingSequence & { readonly weight: number })[],
  objective: ObjectiveOptions,
  reference: ReferencePass | null,
): Promise<PreparedBatch> {
  const size = micro.targets.length;
  const dims = [size];
  const members = micro.members.flatMap((index) => sequences[index] ?? []);
  const fill = (value: (sequence: (typeof members)[number]) => number): Float32Array =>
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
    reference === null ? new Float32Array(size) : await reference(micro, objective.temperature);
  return {
    micro,
    old,
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
