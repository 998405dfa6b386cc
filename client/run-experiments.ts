import { isDeepStrictEqual } from 'node:util';
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { ToolsampleError } from '../contracts/errors.ts';
import type {
  ExperimentAsked,
  ExperimentRunResult,
  ExperimentStatus,
} from '../contracts/experiment.ts';
import { EXPERIMENT } from '../contracts/temporal.ts';
import type { Database } from '../db/connection.ts';
import { experimentResults, experimentStatus, findExperiment } from '../db/experiments.ts';
import { newRunId } from './run-labels.ts';
import { withAbsoluteInput } from '../services/configuration/absolute-paths.ts';
import { planGrowth } from '../services/experiments/growth.ts';
import { requireNewName } from '../services/new-name.ts';
import { cancelWorkflow, workflowEnded } from './workflow-end.ts';
import { requireIdFor } from './workflow-ids.ts';

/** In the workflow's memo: what it was started with. */
const ASKED = 'asked';

export interface StartExperimentOptions {
  /** Id of the experiment. Default: `compare-` and the time. */
  readonly experiment?: string | undefined;
  /** What is compared; null: what the experiment of that id compares already. */
  readonly asked: Partial<ExperimentAsked> | null;
}

/** Starts and reads experiments: many runs that are compared. */
export interface RunExperiments {
  /**
   * Starts an experiment; one of that id that is under way is left alone, one that failed, was stopped or lost goes on. One that has ended
   * goes on, too, when more arms or seeds are asked for; the runs that it has are not made again.
   *
   * @throws ToolsampleError `config` when what is asked is wrong, or the id belongs to an experiment that compares something else, or to
   *   a run or an evaluation; `not-found` when nothing is asked and there is none of that id; `refused` when more is asked for while it is under way
   */
  startExperiment(options: StartExperimentOptions): Promise<StartedExperiment>;
  /** @throws ToolsampleError `not-found` */
  experimentStatus(experiment: string): Promise<ExperimentStatus>;
  /** What the completed runs came to. @throws ToolsampleError `not-found` */
  experimentResults(experiment: string): Promise<readonly ExperimentRunResult[]>;
  /** Waits for the end of the experiment's workflow. @throws ToolsampleError when it failed */
  experimentEnded(experiment: string): Promise<void>;
  /** Ends what is under way; the same start goes on. @throws ToolsampleError `config` when the id is not that of an experiment */
  stopExperiment(experiment: string): Promise<void>;
}

export interface StartedExperiment {
  readonly experiment: string;
  /** It had completed before: nothing was started. */
  readonly completed: boolean;
  /** What somebody who asked should know. */
  readonly notes: readonly string[];
  /** All arms, in their order. */
  readonly arms: readonly string[];
}

export function runExperiments(
  { workflow }: Pick<Client, 'workflow'>,
  db: Database,
  taskQueue: string,
): RunExperiments {
  return {
    async startExperiment({ experiment = newRunId('compare'), asked }) {
      const known = await findExperiment(db, experiment);
      const wanted = asked === null ? known?.asked : withPaths(asked);
      if (wanted === undefined) return failUnknown(experiment);
      if (known === null) requireNewName('experiment', experiment);
      const { plan, grows } = planGrowth(experiment, known?.asked ?? null, wanted);
      const started = { experiment, notes: plan.notes, arms: plan.arms.map(({ arm }) => arm) };
      await requireIdFor(EXPERIMENT, experiment, { workflow, db });
      try {
        await workflow.start(EXPERIMENT, {
          workflowId: experiment,
          taskQueue,
          args: [plan.asked],
          workflowIdReusePolicy: grows ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
          workflowIdConflictPolicy: grows ? 'FAIL' : 'USE_EXISTING',
          memo: { [ASKED]: plan.asked },
          staticSummary: `${plan.runs.length} runs, ${plan.asked.tokens} tokens each: ${started.arms.join(', ')}`,
        });
        return { ...started, completed: false };
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        if (!grows) return { ...started, completed: true };
        // Whoever started it may have been killed before a worker took it up.
        const { memo } = await workflow.getHandle(experiment).describe();
        if (!isDeepStrictEqual(memo?.[ASKED], plan.asked)) return failUnderWay(experiment);
        return { ...started, completed: false };
      }
    },
    experimentStatus: async (experiment) => experimentStatus(db, experiment),
    experimentResults: async (experiment) => experimentResults(db, experiment),
    experimentEnded: async (experiment) => workflowEnded(workflow.getHandle(experiment)),
    stopExperiment: async (experiment) =>
      cancelWorkflow(EXPERIMENT, workflow.getHandle(experiment)),
  };
}

function withPaths(asked: Partial<ExperimentAsked>): Partial<ExperimentAsked> {
  const { config } = asked;
  return config === undefined
    ? asked
    : { ...asked, config: withAbsoluteInput(config, process.cwd()) };
}

function failUnknown(experiment: string): never {
  throw new ToolsampleError('not-found', `there is no experiment "${experiment}"`, {
    hint: 'say what to compare: --tokens N, and perhaps --sampler, --curriculum, --seeds',
  });
}

function failUnderWay(experiment: string): never {
  throw new ToolsampleError('refused', `experiment "${experiment}" is under way`, {
    hint: 'ask for more of it once it has ended, or after Ctrl-C',
  });
}
