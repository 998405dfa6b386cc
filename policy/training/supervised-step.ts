import type { AdamWOptions, Demonstration, TrainingMemory } from '../../contracts/policy.ts';
import { floats, floatScalar } from '../graph/session.ts';
import { separateRows } from './packed-rows.ts';
import { planStep, UNLIMITED } from './step-plan.ts';
import { makeRoom } from './step-room.ts';
import {
  addMicroBatch,
  applyGradients,
  fetchedNumber,
  requireFinite,
  sessionFor,
  tokenCounter,
  type TrainingCall,
  type TrainingState,
} from './training-state.ts';

export interface SupervisedBatch {
  readonly demonstrations: readonly Demonstration[];
  readonly optimizer: AdamWOptions;
  readonly microBatchTokens: number;
  /** Left out: as much memory as it takes. */
  readonly memory?: TrainingMemory;
}

export interface SupervisedOutcome {
  /** Mean of −log p over the batch's completion tokens, before the update. */
  readonly loss: number;
  readonly gradNorm: number;
  /** Tokens computed, prompts included, padding excluded. */
  readonly tokens: number;
}

/** One supervised optimiser step. @throws ToolsampleError `non-finite`. */
export async function superviseStep(
  state: TrainingState,
  batch: SupervisedBatch,
  call: TrainingCall,
): Promise<SupervisedOutcome> {
  const rows = separateRows(batch.demonstrations);
  const plan = planStep(
    state.model,
    batch.demonstrations,
    () => rows,
    batch.microBatchTokens,
    batch.memory ?? UNLIMITED,
  );
  const { micros: batches } = plan;
  await makeRoom(state, 'supervised', plan, { call, memory: batch.memory });
  const session = await sessionFor(state, 'supervised', plan.form);
  const predicted = batches.reduce((sum, { targets }) => sum + targets.length, 0);
  const count = tokenCounter(call, batches, 1);
  state.gradients.data.fill(0);
  let loss = 0;
  for (const micro of batches) {
    call.checkAbort?.();
    const size = micro.targets.length;
    const weight = floats(new Float32Array(size).fill(1 / predicted), [size]);
    const results = await addMicroBatch(
      state,
      session,
      micro,
      1,
      { weight },
      { loss: floatScalar(0) },
    );
    loss += requireFinite(fetchedNumber(results, 'loss'), 'loss');
    count(micro);
  }
  const gradNorm = await applyGradients(state, batch.optimizer);
  return { loss, gradNorm, tokens: batches.reduce((sum, { tokens }) => sum + tokens, 0) };
}
