import type { AdamWOptions, ObjectiveOptions } from '../../contracts/policy.ts';
import type { Weights } from '../models/initial-weights.ts';
import { fillFlat } from './flat-tensors.ts';
import {
  applyShards,
  gradientShard,
  type GradientShard,
  type MicroGradient,
  type ShardOfStep,
} from './gradient-shards.ts';
import type { RolloutBatch } from './grpo-batch.ts';
import { gradientStep, type GradientBatch, type GradientOutcome } from './grpo-step.ts';
import { loadOptimizerState, optimizerState } from './optimizer.ts';
import { superviseStep, type SupervisedBatch, type SupervisedOutcome } from './supervised-step.ts';
import {
  createTrainingState,
  releaseSession,
  type TrainerOptions,
  type TrainingCall,
} from './training-state.ts';

/**
 * A policy's parameters, gradients and optimiser in memory, and the graphs that train them. One call at a time.
 * Calls block their thread while a micro-batch is computed.
 */
export interface Trainer {
  /**
   * One batch of GRPO: `numIterations` optimiser steps.
   * @throws ToolsampleError `non-finite` when a loss or gradient is; the parameters are those of the last good step.
   */
  readonly gradientStep: (batch: GradientBatch, call?: TrainingCall) => Promise<GradientOutcome>;
  /** Part of a batch's gradients, for {@link Trainer.applyShards}, computed as they are asked for; changes nothing. */
  readonly gradientShard: (
    batch: RolloutBatch,
    part: ShardOfStep,
    call?: TrainingCall,
  ) => Promise<GradientShard>;
  /**
   * The optimiser step on all of a batch's gradients, in its order, one in memory at a time.
   * @throws ToolsampleError `non-finite`, or what `micros` throws; in both cases before any parameter changes
   */
  readonly applyShards: (
    micros: AsyncIterable<MicroGradient>,
    objective: Pick<ObjectiveOptions, 'beta'>,
    optimizer: AdamWOptions,
  ) => Promise<GradientOutcome>;
  /** One supervised optimiser step. @throws ToolsampleError `non-finite`, before any parameter changes. */
  readonly supervise: (batch: SupervisedBatch, call?: TrainingCall) => Promise<SupervisedOutcome>;
  /** What trains, by name, as views into the live parameters: copy or write them before the next step. */
  readonly trainedTensors: () => Weights;
  /** Takes up what another trainer has made of the same base. @throws ToolsampleError `checkpoint` when a tensor is missing or has another shape */
  readonly loadTrained: (saved: Weights) => void;
  /** `m.<tensor>`, `v.<tensor>` and `step` ([1]); views, as above. */
  readonly optimizerState: () => Weights;
  /** @throws ToolsampleError `checkpoint` when a tensor is missing or has another shape. */
  readonly loadOptimizerState: (saved: Weights) => void;
  /** Gives back the memory that steps are computed in; the next one takes it again. */
  readonly releaseSession: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Takes up weights and a fresh optimiser; graphs are built when first needed. @throws ToolsampleError `checkpoint` on a wrong tensor. */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const state = await createTrainingState(options);
  return {
    gradientStep: (batch, call = {}) => gradientStep(state, batch, call),
    gradientShard: (batch, part, call = {}) => gradientShard(state, batch, part, call),
    applyShards: (micros, objective, optimizer) => applyShards(state, micros, objective, optimizer),
    supervise: (batch, call = {}) => superviseStep(state, batch, call),
    trainedTensors: () => state.parameters.views,
    loadTrained: (saved) => {
      fillFlat(state.parameters, saved);
    },
    optimizerState: () => optimizerState(state.optimizer),
    loadOptimizerState: (saved) => loadOptimizerState(state.optimizer, saved),
    releaseSession: () => releaseSession(state),
    close: async () => {
      await releaseSession(state);
      await state.optimizer.session.release();
    },
  };
}
