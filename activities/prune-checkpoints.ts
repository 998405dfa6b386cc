import { markPruned, prunableCheckpoints } from '../db/checkpoints.ts';
import { readRun } from '../db/runs.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Deletes the weights and optimiser states that no resume needs (`saveTotalLimit`). Never the policy a run stands on, those
 * at epoch ends, or what another run's checkpoint shares. Safe to be killed: what is left over is found next time.
 */
export async function pruneCheckpoints(
  { db, artifacts }: Pick<ActivityDependencies, 'db' | 'artifacts'>,
  run: string,
): Promise<void> {
  const { config, stepsPerEpoch } = await readRun(db, run);
  const prunable = await prunableCheckpoints(db, run, config.saveTotalLimit, stepsPerEpoch);
  for (const checkpoint of prunable) {
    for (const sha256 of checkpoint.artifacts) await artifacts.delete(sha256);
    await markPruned(db, checkpoint);
  }
}
