import type { Client } from '@temporalio/client';
import { TRAINING_RUN } from '../contracts/temporal.ts';
import type { Database } from '../db/connection.ts';
import { findRun } from '../db/runs.ts';
import { isName, requireNewName } from '../services/new-name.ts';

/** A run that Postgres does not know yet. */
export interface UnpreparedRun {
  readonly run: string;
  /** As it was given. */
  readonly config: unknown;
}

/** Runs of a task queue that are under way and that no worker has prepared yet. */
export async function unpreparedRuns(
  { workflow }: Pick<Client, 'workflow'>,
  db: Database,
  taskQueue: string,
): Promise<UnpreparedRun[]> {
  const query = `WorkflowType = '${TRAINING_RUN}' and ExecutionStatus = 'Running' and TaskQueue = '${taskQueue}'`;
  const found = [];
  for await (const { workflowId, memo } of workflow.list({ query })) {
    if ((await findRun(db, workflowId)) === null)
      found.push({ run: workflowId, config: memo?.['config'] });
  }
  return found;
}

/**
 * Refuses an id that is no name for a run that Postgres does not know; one that waits for a worker keeps the id that it has.
 *
 * @param waiting - Asked only where it matters.
 * @throws ToolsampleError `config`
 */
export async function requireNameOfRun(
  run: string,
  waiting: () => Promise<readonly UnpreparedRun[]>,
): Promise<void> {
  if (!isName(run) && (await waiting()).some((each) => each.run === run)) return;
  requireNewName('run', run);
}
