import {
  WorkflowNotFoundError,
  type WorkflowClient,
  type WorkflowHandle,
} from '@temporalio/client';
import { ToolsampleError } from '../contracts/errors.ts';
import { EXPERIMENT, POLICY_EVALUATION, TRAINING_RUN } from '../contracts/temporal.ts';
import type { Database } from '../db/connection.ts';
import { findExperiment } from '../db/experiments.ts';
import { findRun } from '../db/runs.ts';
import { findSuiteEvaluation } from '../db/suite-evaluations.ts';

/** Workflow types whose ids users choose. */
const TYPES = [TRAINING_RUN, EXPERIMENT, POLICY_EVALUATION] as const;
export type NamedWorkflow = (typeof TYPES)[number];

const KINDS: { readonly [type in NamedWorkflow]: string } = {
  [TRAINING_RUN]: 'a run',
  [EXPERIMENT]: 'an experiment',
  [POLICY_EVALUATION]: 'an evaluation',
};
const FINDERS: {
  readonly [type in NamedWorkflow]: (db: Database, id: string) => Promise<object | null>;
} = {
  [TRAINING_RUN]: findRun,
  [EXPERIMENT]: findExperiment,
  [POLICY_EVALUATION]: findSuiteEvaluation,
};

/**
 * Refuses an id that something else has. Runs, experiments and evaluations share their ids: each is the id of a workflow, and to start or
 * to signal one Temporal looks at its id alone, not at its type. Temporal knows those that no worker has taken up yet, Postgres those that
 * Temporal has forgotten.
 *
 * @param type of what is to have the id
 * @throws ToolsampleError `config` that says what has it
 */
export async function requireIdFor(
  type: NamedWorkflow,
  id: string,
  { workflow, db }: { readonly workflow: WorkflowClient; readonly db: Database },
): Promise<void> {
  await requireType(type, workflow.getHandle(id));
  if ((await FINDERS[type](db, id)) !== null) return;
  for (const other of TYPES)
    if (other !== type && (await FINDERS[other](db, id)) !== null) throw taken(id, other);
}

/** Refuses to act on a workflow of another type; one that Temporal does not know passes. @throws ToolsampleError `config` */
export async function requireType(type: NamedWorkflow, handle: WorkflowHandle): Promise<void> {
  const found = await describedOrNull(handle);
  if (found !== null && found.type !== type) throw taken(handle.workflowId, found.type);
}

/** Whether a workflow of that type is under way. */
export async function isUnderWay(type: NamedWorkflow, handle: WorkflowHandle): Promise<boolean> {
  const found = await describedOrNull(handle);
  return found !== null && found.type === type && found.status.name === 'RUNNING';
}

async function describedOrNull(
  handle: WorkflowHandle,
): Promise<Awaited<ReturnType<WorkflowHandle['describe']>> | null> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

function taken(id: string, type: string): ToolsampleError {
  const known = TYPES.find((each) => each === type);
  const kind = known === undefined ? `a workflow of the type ${type}` : KINDS[known];
  return new ToolsampleError('config', `"${id}" is ${kind}`, { hint: 'choose another name' });
}
