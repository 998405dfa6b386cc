import { setTimeout as sleep } from 'node:timers/promises';
import type { MetricGauge, MetricMeter } from '@temporalio/common';
import { REWARD_MIN, SUB_TASKS } from '../contracts/reward.ts';
import type { RunStatus } from '../contracts/run-status.ts';
import type { Database } from '../db/connection.ts';
import { runStatus } from '../db/run-status.ts';
import { currentRuns } from '../db/runs.ts';

/** Well below the usual interval of a scraper. */
const INTERVAL_MILLISECONDS = 5_000;
/** Of a run that ended before it was ever told, and of the last numbers of others. */
const ENDED_WITHIN_SECONDS = 30;

/**
 * Keeps gauges of the runs that have not ended, or not long ago, as Postgres has them; a run that has ended keeps its last values.
 *
 * @param onError - Told when they could not be read; they are tried again.
 * @returns what ends it
 */
export function startRunGauges(
  db: Database,
  meter: MetricMeter,
  onError: (error: unknown) => void,
): () => Promise<void> {
  const set = runGauges(meter);
  const halt = new AbortController();
  const tell = async (): Promise<void> => {
    for (const run of await currentRuns(db, ENDED_WITHIN_SECONDS)) set(await runStatus(db, run));
  };
  const keepTelling = async (): Promise<void> => {
    while (!halt.signal.aborted) {
      // A database that is away comes back.
      await tell().catch(onError);
      await sleep(INTERVAL_MILLISECONDS, undefined, { signal: halt.signal }).catch(() => undefined);
    }
  };
  const telling = keepTelling();
  return async () => {
    halt.abort();
    await telling;
  };
}

function runGauges(meter: MetricMeter): (status: RunStatus) => void {
  const gauge = (name: string, description: string): MetricGauge =>
    meter.createGauge(`toolsample_${name}`, 'float', undefined, description);
  const step = gauge('step', 'Last step that is committed');
  const totalSteps = gauge('total_steps', 'Steps planned');
  const tokens = gauge('generated_tokens', 'Completion tokens sampled for training so far');
  const reward = gauge('reward_plus_3', 'Mean unweighted reward of the last step, and 3');
  const noVariance = gauge(
    'frac_reward_zero_std',
    'Share of groups without variance in the last step',
  );
  const mastery = gauge('mastery', 'Mastery of a sub-task');
  const exactMatch = gauge('exact_match', 'Share of exact matches in the last evaluation');
  return (status) => {
    const { run, lastStep } = status;
    step.set(status.step, { run });
    totalSteps.set(status.totalSteps, { run });
    tokens.set(status.generatedTokens, { run });
    for (const { split, exactMatch: share } of status.evaluations)
      exactMatch.set(share, { run, split });
    if (lastStep === null) return;
    // Gauges of the SDK cannot be negative.
    reward.set(Math.max(0, lastStep.reward - REWARD_MIN), { run });
    noVariance.set(lastStep.fracRewardZeroStd, { run });
    for (const task of SUB_TASKS) {
      const value = lastStep.mastery[task];
      if (value !== null) mastery.set(value, { run, subtask: task });
    }
  };
}
