import type { StepStatus } from './run-status.ts';

/** How many of the last steps the pace is averaged over. */
export const PACE_STEPS = 8;

/** How far a run has come of what it may generate. */
export interface BudgetSpent {
  /** The last step that is committed. */
  readonly step: number;
  readonly generatedTokens: number;
  /** Negative: no limit. */
  readonly tokenBudget: number;
}

/** The steps that a run will have: as planned, or fewer if its budget of tokens, at the rate so far, is spent before. */
export function expectedSteps(
  planned: number,
  { step, generatedTokens, tokenBudget }: BudgetSpent,
): number {
  if (tokenBudget < 0 || step === 0 || generatedTokens === 0) return planned;
  return Math.min(planned, Math.max(step, Math.ceil((step * tokenBudget) / generatedTokens)));
}

/** Seconds until the last step at the present pace; null before the first step. */
export function timeLeft(
  steps: readonly Pick<StepStatus, 'step' | 'wallSeconds'>[],
  totalSteps: number,
): number | null {
  const recent = steps.slice(-PACE_STEPS);
  const last = recent.at(-1);
  if (last === undefined) return null;
  // The median: a step in which the run lay still, stopped or crashed, says nothing about the pace.
  const pace = recent.map(({ wallSeconds }) => wallSeconds).sort((a, b) => a - b);
  return Math.max(0, totalSteps - last.step) * (pace[Math.floor((pace.length - 1) / 2)] ?? 0);
}

/** Generated tokens per second of rollout over the last steps; null before the first. */
export function tokenRate(
  steps: readonly Pick<StepStatus, 'generatedTokens' | 'rolloutSeconds'>[],
): number | null {
  const recent = steps.slice(-PACE_STEPS);
  const seconds = recent.reduce((sum, { rolloutSeconds }) => sum + rolloutSeconds, 0);
  if (seconds <= 0) return null;
  return recent.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0) / seconds;
}
