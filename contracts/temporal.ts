import type { EngineProgress } from './policy.ts';

/** Workflow types, as any Temporal client in any language names them. */
export const TRAINING_RUN = 'trainingRun';
export const POLICY_EVALUATION = 'policyEvaluation';
export const EXPERIMENT = 'experiment';

/** The task queue of the accelerator's activities beside the one of light work. */
export function acceleratorQueue(taskQueue: string): string {
  return `${taskQueue}-gpu`;
}

/** Workflow id of one epoch's child workflow. */
export function epochWorkflowId(run: string, epoch: number): string {
  return `${run}/epoch-${epoch}`;
}

/**
 * Search attributes of both workflows. A server knows them once the worker (or `toolsample up`) has registered them;
 * on a server that refuses, workflows do without ({@link import('./activities.ts').RunPlan.searchAttributes}).
 */
export const SEARCH_ATTRIBUTES = {
  run: { name: 'ToolsampleRun', type: 'KEYWORD' },
  policy: { name: 'ToolsamplePolicy', type: 'KEYWORD' },
  sampler: { name: 'ToolsampleSampler', type: 'KEYWORD' },
  epoch: { name: 'ToolsampleEpoch', type: 'INT' },
  reward: { name: 'ToolsampleReward', type: 'DOUBLE' },
  forkOf: { name: 'ToolsampleForkOf', type: 'KEYWORD' },
} as const;

/**
 * Signals of `trainingRun`; each takes effect at the next step's (or warm-start slice's) boundary. The updates of the same names
 * ({@link import('./requests.ts').RUN_REQUESTS}) also answer, and refuse what cannot be.
 */
export const RUN_SIGNALS = { pause: 'pause', continue: 'continue', stop: 'stop' } as const;

/** Query of both workflows; answers {@link RunProgress}. */
export const PROGRESS_QUERY = 'progress';

/** Failure type of a run that ended because `stop` was asked for; starting it again goes on. */
export const STOPPED = 'Stopped';

export interface RunProgress {
  /** What is under way, e.g. `epoch 2 of 5` or `step 17: rollout`. */
  readonly phase: string;
  readonly epoch: number;
  /** Last step that was committed. */
  readonly step: number;
  readonly totalSteps: number;
  /** It waits, or will once the piece of work under way is done. */
  readonly paused: boolean;
  /** It ends once the piece of work under way is done. */
  readonly stopping: boolean;
}

/** How far an activity of the policy engine is. */
export interface WorkUnderWay extends EngineProgress {
  /** Name of the activity, e.g. `rollout`. */
  readonly activity: string;
}

/** What a client learns of a run under way. */
export interface LiveProgress extends RunProgress {
  /** Null while the policy engine does nothing for the run, or has only begun. */
  readonly work: WorkUnderWay | null;
}
