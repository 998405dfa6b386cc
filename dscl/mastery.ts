import type { CurriculumState } from '../contracts/curriculum.ts';
import type { PerSubTask, RewardBreakdown } from '../contracts/reward.ts';
import type { Tally } from './call-matching.ts';

/** Successes and trials of each sub-task given the one before it. */
export type Evidence = PerSubTask<Tally>;

/** Pools the evidence of rollouts; all of a step's rollouts count, those of dropped groups too. */
export function poolEvidence(
  breakdowns: readonly Pick<RewardBreakdown, 'conditional'>[],
): Evidence {
  const pool = (task: keyof Evidence): Tally => ({
    successes: breakdowns.reduce((sum, { conditional }) => sum + conditional[task].successes, 0),
    trials: breakdowns.reduce((sum, { conditional }) => sum + conditional[task].trials, 0),
  });
  return { format: pool('format'), name: pool('name'), key: pool('key'), value: pool('value') };
}

/**
 * Mastery after a step: p ← (1 − rate)·p + rate·successes/trials. The first evidence sets p; no trial leaves it as it was.
 * [ours]
 */
export function nextMastery(
  mastery: CurriculumState['mastery'],
  evidence: Evidence,
  rate: number,
): CurriculumState['mastery'] {
  const next = (task: keyof Evidence): number | null => {
    const before = mastery[task];
    const { successes, trials } = evidence[task];
    if (trials === 0) return before;
    const observed = successes / trials;
    return before === null ? observed : (1 - rate) * before + rate * observed;
  };
  return { format: next('format'), name: next('name'), key: next('key'), value: next('value') };
}
