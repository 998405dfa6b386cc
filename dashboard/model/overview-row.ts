import type { RunOverview } from '../../contracts/dashboard.ts';
import type { CsvRow } from './csv.ts';

/** A run of the list of runs as it is saved; its spark line is `reward_1`, `reward_2`, …, one for each part of the planned run. */
export function overviewRow(run: RunOverview): CsvRow {
  return {
    run: run.run,
    state: run.state,
    without_worker: run.withoutWorker,
    step: run.step,
    total_steps: run.totalSteps,
    seconds_left: run.secondsLeft,
    exact_match_first: run.heldOut?.first,
    exact_match_last: run.heldOut?.last,
    exact_match_low: run.heldOut?.lastLow,
    exact_match_high: run.heldOut?.lastHigh,
    generated_tokens: run.generatedTokens,
    sampler: run.sampler,
    curriculum: run.curriculum,
    policy: run.policy,
    data: run.data,
    seed: run.seed,
    started_at: run.startedAt,
    finished_at: run.finishedAt,
    ...Object.fromEntries(run.rewards.map((reward, part) => [`reward_${part + 1}`, reward])),
  };
}
