import type { ArtifactRef } from '../contracts/artifacts.ts';
import type { RunConfig } from '../contracts/config.ts';
import { policyAfter } from '../db/checkpoints.ts';
import type { Database } from '../db/connection.ts';

/**
 * The weights that a run's KL term is measured to: of the policy that its first step starts from, which stays as long as the run. Null
 * where that is the base, which the engine has anyway, and where there is no such term.
 */
export async function referenceWeights(
  db: Database,
  run: string,
  { beta }: Pick<RunConfig, 'beta'>,
): Promise<ArtifactRef | null> {
  return beta > 0 ? (await policyAfter(db, run, 0)).weights : null;
}
