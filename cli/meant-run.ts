import type { ToolsampleClient } from '../client.ts';
import type { RunStatus } from '../contracts/run-status.ts';
import { findRunId } from './run-reference.ts';

/** A run that a user means, and how it stands; null: no worker has taken it up yet. */
export interface MeantRun {
  readonly run: string;
  readonly before: RunStatus | null;
}

/**
 * The run that a user means by an id, a prefix or `latest`, also one that no worker has taken up yet; those are the newest.
 *
 * @throws ToolsampleError `not-found`
 */
export async function meantRun(
  client: Pick<ToolsampleClient, 'runIds' | 'unpreparedRuns' | 'status'>,
  reference: string,
): Promise<MeantRun> {
  const prepared = await client.runIds();
  const waiting = (await client.unpreparedRuns()).map(({ run }) => run);
  const run = findRunId(reference, [...waiting, ...prepared]);
  return { run, before: prepared.includes(run) ? await client.status(run) : null };
}
