import type { StepKey } from '../contracts/activities.ts';
import { lockArtifactReferences } from '../db/artifact-references.ts';
import {
  markPruned,
  prunableCheckpoints,
  unusedArtifacts,
  type Retention,
} from '../db/checkpoint-retention.ts';
import { readRunAt } from '../db/setting-changes.ts';
import type { ActivityDependencies } from './dependencies.ts';

/**
 * Deletes the weights and optimiser states that no resume needs (`saveTotalLimit`, `saveBest`, `saveEpochs`, as they are set for
 * the step just committed). Never the policy a run stands on or began with, or what another run's checkpoint shares. Safe to be
 * killed: no row claims what is gone, and what is left over is for `gc`.
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
  const candidates = await db.transaction(async (tx) => {
    // Nobody begins to share in between.
    await lockArtifactReferences(tx);
    const checkpoints = await prunableCheckpoints(tx, run, retention);
    for (const checkpoint of checkpoints) await markPruned(tx, checkpoint);
    return checkpoints.flatMap(({ artifacts }) => artifacts);
  });
  await db.transaction(async (tx) => {
    await lockArtifactReferences(tx);
    for (const sha256 of await unusedArtifacts(tx, candidates)) await artifacts.delete(sha256);
  });
}
