import type { TrainingMemory } from '../../contracts/policy.ts';
import { residentMemory, type KlReference } from './memory-estimate.ts';
import { peakMemory, UNLIMITED, type StepPlan } from './step-plan.ts';
import {
  keptSession,
  type SessionKind,
  type TrainingCall,
  type TrainingState,
} from './training-state.ts';

/** What trains, its gradients and two moments: in memory once a step was made. */
const COPIES = 4;

/**
 * Lets the call's owner make room for a step. The process grows by what the step is estimated to take beyond what its session took before,
 * or, where that is opened anew, beyond what the process holds anyway.
 */
export async function makeRoom(
  state: TrainingState,
  kind: SessionKind,
  plan: StepPlan,
  { call, memory = UNLIMITED, reference = 'none' }: RoomOptions,
): Promise<void> {
  const known = await keptSession(state, kind, plan.form);
  const held = residentMemory(state.model, state.optimizer.step === 0 ? 1 : COPIES);
  const peak = peakMemory(state.model, plan, reference);
  const growth = Math.max(0, peak - Math.max(held, known?.peak ?? 0));
  await call.makeRoom?.(growth, memory);
}

interface RoomOptions {
  readonly call: TrainingCall;
  readonly memory?: TrainingMemory | undefined;
  readonly reference?: KlReference;
}
