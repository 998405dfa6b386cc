import type { AdamWOptions, ObjectiveOptions } from '../../contracts/policy.ts';
import { gradientTotal } from './gradient-total.ts';
import {
  addSums,
  grpoSums,
  planBatch,
  preparePasses,
  type GrpoSums,
  type RolloutBatch,
} from './grpo-batch.ts';
import {
  applyGradients,
  tokenCounter,
  type TrainingCall,
  type TrainingState,
} from './training-state.ts';

export interface GradientBatch extends RolloutBatch {
  readonly optimizer: AdamWOptions;
}

/** As `GradientResult`, without artifacts and time. Means over the optimiser steps where there are several. */
export interface GradientOutcome {
  readonly loss: number;
  readonly gradNorm: number;
  readonly entropy: number;
  readonly kl: number | null;
  readonly clipRatioLow: number;
  readonly clipRatioHigh: number;
  readonly samplingLogpDifference: number;
  readonly tokens: number;
}

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
  const planned = planBatch(state, batch);
  const { micros, predicted } = planned;
  const totals = grpoSums(() => 0);
  let norms = 0;
  const count = tokenCounter(call, micros, steps);
  if (predicted > 0) {
    const passes = await preparePasses(state, batch, planned, micros, call);
    for (let step = 0; step < steps; step++) {
      const total = gradientTotal(state);
      for (const pass of passes) {
        call.checkAbort?.();
        addSums(totals, await pass.run(step === 0));
        total.add();
        count(pass.micro);
      }
      total.end();
      norms += await applyGradients(state, batch.optimizer);
    }
  }
  const tokens = micros.reduce((sum, micro) => sum + micro.tokens, 0);
  return outcomeOf(objective, { totals, norms, steps, predicted, tokens });
}

/** What a batch came to, from sums over its tokens and its optimiser steps. */
export function outcomeOf(
  { beta }: Pick<ObjectiveOptions, 'beta'>,
  {
    totals,
    norms,
    steps,
    predicted,
    tokens,
  }: {
    readonly totals: GrpoSums;
    readonly norms: number;
    readonly steps: number;
    readonly predicted: number;
    /** Of one step. */
    readonly tokens: number;
  },
): GradientOutcome {
  const perToken = (sum: number): number => (predicted === 0 ? 0 : sum / (predicted * steps));
  return {
    loss: totals.loss / steps,
    gradNorm: norms / steps,
    entropy: perToken(totals.entropy),
    kl: beta > 0 ? perToken(totals.kl) : null,
    clipRatioLow: perToken(totals.clipped_low),
    clipRatioHigh: perToken(totals.clipped_high),
    samplingLogpDifference: perToken(totals.rollout_difference),
    tokens: steps * tokens,
  };
}
