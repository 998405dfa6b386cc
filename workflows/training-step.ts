import type { RunPlan, StepKey } from '../contracts/activities.ts';
import { splitsDue } from '../contracts/evaluation-plan.ts';
import { acceleratorActivities, lightActivities } from './activity-options.ts';
import { stepRow, type StepRow } from './step-table.ts';

export interface FinishedStep {
  readonly row: StepRow;
  /** Splits on which the policy is evaluated now. */
  readonly evaluate: readonly string[];
  /** The step spent the budget of tokens: none comes after it. */
  readonly endsRun: boolean;
}

/**
 * One step of DSCL: choose prompts, roll out, score, filter (and backfill, bounded), update the curriculum, step the policy.
 * Every activity is keyed by (run, step[, round, shard]) and returns what is committed when it runs again.
 */
export async function trainingStep(key: StepKey, plan: RunPlan): Promise<FinishedStep> {
  const light = lightActivities();
  const accelerator = acceleratorActivities();
  const summary = (text: string): { summary: string } => ({ summary: `step ${key.step}: ${text}` });

  const batch = await light.selectBatch.executeWithOptions(summary('select prompts'), [key]);

  const rollOut = async (round: number, shards: number): Promise<void> => {
    const again = round === 0 ? '' : `, backfill round ${round}`;
    await Promise.all(
      Array.from({ length: shards }, (_, shard) =>
        accelerator.rollout.executeWithOptions(
          summary(`rollout shard ${shard + 1} of ${shards}${again}`),
          [{ ...key, round, shard }],
        ),
      ),
    );
  };
  const score = async (round: number) =>
    light.scoreRewards.executeWithOptions(summary(`score rewards of round ${round}`), [
      { ...key, round },
    ]);
  const filter = async (round: number) =>
    light.filterGroups.executeWithOptions(summary(`filter groups of round ${round}`), [
      { ...key, round },
    ]);

  await rollOut(0, batch.shards);
  const firstScore = await score(0);
  let filtered = await filter(0);
  for (let round = 1; filtered.backfillShards > 0 && round <= plan.maxBackfillRounds; round++) {
    await rollOut(round, filtered.backfillShards);
    await score(round);
    filtered = await filter(round);
  }

  const curriculum = await light.updateCurriculum.executeWithOptions(summary('update curriculum'), [
    key,
  ]);
  const shards = plan.gradientShards ?? 1;
  if (shards > 1 && filtered.kept > 0) {
    await Promise.all(
      Array.from({ length: shards }, (_, shard) =>
        accelerator.gradientShard.executeWithOptions(
          summary(`gradient shard ${shard + 1} of ${shards}`),
          [{ ...key, shard, shards }],
        ),
      ),
    );
  }
  const gradient = await accelerator.gradientStep.executeWithOptions(summary('gradient step'), [
    key,
  ]);
  const endsRun = gradient.endsRun === true;
  return {
    row: stepRow(key.step, firstScore, curriculum, gradient),
    // When the batch was selected nobody knew that it would be the last.
    evaluate: endsRun ? plan.splits : (batch.evaluate ?? splitsDue(key.step, plan)),
    endsRun,
  };
}
