import type { LrSchedulerType } from '../../contracts/config.ts';

/** Linear warm-up to `peak` over `warmupSteps` (step 0 already moves), then constant. */
export function warmedUp(peak: number, step: number, warmupSteps: number): number {
  return step < warmupSteps ? (peak * (step + 1)) / warmupSteps : peak;
}

/** Where a run stands when a step begins. */
export interface RunProgress {
  /** Steps before it. */
  readonly step: number;
  /** Steps planned in all. */
  readonly totalSteps: number;
  readonly warmupSteps: number;
  /** Completion tokens generated before it. */
  readonly generatedTokens: number;
  /** Completion tokens with which the run ends; negative: no limit. */
  readonly tokenBudget: number;
}

/**
 * How much of a run is behind a step, from 0 to 1: of the steps after the warm-up, or of the tokens, whichever is more, since the run ends
 * with what runs out first.
 */
export function runProgress(on: RunProgress): number {
  const bySteps = (on.step - on.warmupSteps) / Math.max(1, on.totalSteps - on.warmupSteps);
  const byTokens = on.tokenBudget > 0 ? on.generatedTokens / on.tokenBudget : 0;
  return Math.min(1, Math.max(0, bySteps, byTokens));
}

/**
 * What is left of the peak at some progress: 1 at the start, 0 at the end, as transformers' schedulers of the same names have it
 * (`get_linear_schedule_with_warmup`, `get_cosine_schedule_with_warmup` with half a cycle).
 */
export function scheduled(type: LrSchedulerType, progress: number): number {
  if (type === 'linear') return 1 - progress;
  if (type === 'cosine') return (1 + Math.cos(Math.PI * progress)) / 2;
  return 1;
}

/**
 * The rate of a step on fewer groups than wanted: smaller in proportion (linear scaling rule, Goyal et al. 2017, arXiv 1706.02677). AdamW moves
 * as far on one group as on many, and a run that has little left to learn would be led about by the few groups that still differ. [ours]
 */
export function forPartialBatch(rate: number, groups: number, wanted: number): number {
  return rate * Math.min(1, groups / wanted);
}

/** From `start` at step 0 to `end` at the last of `steps`, linear. */
export function linearDecay(start: number, end: number, step: number, steps: number): number {
  if (steps <= 1) return start;
  return start + ((end - start) * Math.min(step, steps - 1)) / (steps - 1);
}
