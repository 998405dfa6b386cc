import type { StepKey } from '../contracts/activities.ts';
import { lockArtifactReferences } from '../db/artifact-references.ts';
import { markPruned, prunableCheckpoints, type Retention } from '../db/checkpoints.ts';
import { readRunAt } from '../db/setting-changes.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Deletes the weights and optimiser states that no resume needs (`saveTotalLimit`, `saveBest`, `saveEpochs`, as they are set for
 * the step just committed). Never the policy a run stands on or began with, or what another run's checkpoint shares. Safe to be
 * killed: what is left over is found next time.
 */
export async function pruneCheckpoints(
  { db, artifacts }: Pick<ActivityDependencies, 'db' | 'artifacts'>,
  { run, step }: Pick<StepKey, 'run' | 'step'>,
): Promise<void> {
  const { config, stepsPerEpoch } = await readRunAt(db, run, step);
  const retention: Retention = {
    newest: config.saveTotalLimit,
    best: config.saveBest,
    metric: config.bestMetric,
    epochs: config.saveEpochs,
    stepsPerEpoch,
  };
  if ((await prunableCheckpoints(db, run, retention)).length === 0) return;
  await db.transaction(async (tx) => {
    // Nobody begins to share in between.
    await lockArtifactReferences(tx);
    for (const checkpoint of await prunableCheckpoints(tx, run, retention)) {
      for (const sha256 of checkpoint.artifacts) await artifacts.delete(sha256);
      await markPruned(tx, checkpoint);
    }
  });
}
