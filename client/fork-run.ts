import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { RunConfigInput } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { originAt, type ForkAsked, type ForkPoint, type RunOrigin } from '../contracts/fork.ts';
import { shellWord } from '../contracts/shell-word.ts';
import { TRAINING_RUN } from '../contracts/temporal.ts';
import type { Database } from '../db/connection.ts';
import { findForkPoint } from '../db/fork-points.ts';
import { findRun, readRun } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { newRunId, originMemo, shownInTemporal } from './run-labels.ts';
import { changedConfig } from '../services/configuration/change.ts';
import { requireNewName } from '../services/new-name.ts';
import { requireIdFor } from './workflow-ids.ts';

export interface ForkOptions {
  /** The parent: a run in any state. */
  readonly of: string;
  /** Where the fork begins; default: after the parent's newest step. */
  readonly at?: ForkPoint | undefined;
  /** Id of the new run. Default: `fork-` and the time. */
  readonly run?: string | undefined;
  /** What changes of the parent's settings, from the fork's first step on; keys in any spelling. */
  readonly settings?: RunConfigInput | undefined;
  /** Who asks, for the record. */
  readonly by?: string | undefined;
}

export interface RunForking {
  /**
   * Starts a run that goes on from what another one had at the end of an epoch or after a step. The parent is only read. What is wrong is
   * found here, before anything is started, or by the worker that prepares the fork, where the parent has changed in between or the
   * fork would have no step left.
   *
   * @throws ToolsampleError `not-found` when there is no such run, it has not come there, or its policy of that step is no longer kept;
   *   `config` for settings that are wrong or that a fork cannot change, and when the id is none or taken
   */
  forkRun(options: ForkOptions): Promise<{ readonly run: string; readonly forkOf: RunOrigin }>;
}

export function runForking(
  { workflow }: Pick<Client, 'workflow'>,
  db: Database,
  taskQueue: string,
): RunForking {
  return {
    async forkRun({ of, at = 'newest', run = newRunId('fork'), settings = {}, by }) {
      requireNewName('run', run);
      const parent = await readRun(db, of);
      const step = await findForkPoint(db, parent, at);
      const before = (await readRunAt(db, of, step + 1)).config;
      const { config } = changedConfig(before, settings, 'fork');
      if ((await findRun(db, run)) !== null) throw taken(run);
      await requireIdFor(TRAINING_RUN, run, { workflow, db });
      const fork: ForkAsked = { run: of, step, by };
      const input = { ...settings, fork };
      const forkOf = originAt(of, step, parent.stepsPerEpoch);
      try {
        await workflow.start(TRAINING_RUN, {
          ...shownInTemporal(config, forkOf),
          workflowId: run,
          taskQueue,
          args: [input],
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
          workflowIdConflictPolicy: 'FAIL',
          memo: { ...originMemo(forkOf), config: input },
        });
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) throw taken(run);
        throw error;
      }
      return { run, forkOf };
    },
  };
}

function taken(run: string): ToolsampleError {
  return new ToolsampleError('config', `there is a run "${run}" already`, {
    hint: `choose another name, or go on with it: toolsample resume ${shellWord(run)}`,
  });
}
