import type { StepKey } from '../contracts/activities.ts';
import { markPruned, prunableCheckpoints } from '../db/checkpoints.ts';
import { readRunAt } from '../db/setting-changes.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Deletes the weights and optimiser states that no resume needs (`saveTotalLimit`). Never the policy a run stands on, those
 * at epoch ends, or what another run's checkpoint shares. How many are kept is what was set for the step just committed. Safe to be killed: what is left over is found next time.
 */
export async function pruneCheckpoints(
  { db, artifacts }: Pick<ActivityDependencies, 'db' | 'artifacts'>,
  { run, step }: Pick<StepKey, 'run' | 'step'>,
): Promise<void> {
  const { config, stepsPerEpoch } = await readRunAt(db, run, step);
  const prunable = await prunableCheckpoints(db, run, config.saveTotalLimit, stepsPerEpoch);
  for (const checkpoint of prunable) {
    for (const sha256 of checkpoint.artifacts) await artifacts.delete(sha256);
    await markPruned(db, checkpoint);
  }
}
