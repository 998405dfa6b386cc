import type { RunConfig } from '../../contracts/config.ts';

/** The most that a run can have. */
export const MOST_STEPS = 100_000_000;

/** The settings that the number of steps of a run with a budget of tokens alone follows from. */
export type TokenBudget = Pick<
  RunConfig,
  'maxGeneratedTokens' | 'trainBatchSize' | 'numGenerations'
>;

/** Every completion has a token at least: with a budget of tokens alone, no run has more steps than these. Null without a budget. */
export function stepsOfBudget(budget: TokenBudget): number | null {
  const { maxGeneratedTokens, trainBatchSize, numGenerations } = budget;
  if (maxGeneratedTokens < 0) return null;
  return Math.min(MOST_STEPS, Math.ceil(maxGeneratedTokens / (trainBatchSize * numGenerations)));
}
