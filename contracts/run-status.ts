import type { RunOrigin } from './fork.ts';
import type { PendingRequest, RequestStatus, SettingChange } from './requests.ts';
import type { PerSubTask } from './reward.ts';
import type { RunDataStatus } from './run-data.ts';

export const RUN_STATES = ['running', 'paused', 'completed', 'failed', 'stopped'] as const;
/** `stopped`: ended or interrupted by the user; `resume` goes on. */
export type RunState = (typeof RUN_STATES)[number];

/** A state for people: that of a run whose worker died, and could not say so, is told from one that is worked on. */
export function stateText({
  state,
  withoutWorker,
}: Pick<RunStatus, 'state' | 'withoutWorker'>): string {
  return state === 'running' && withoutWorker ? 'running, no worker' : state;
}

export interface EvaluationStatus {
  readonly epoch: number;
  /** 0: before training. */
  readonly step: number;
  /** `heldout`: never trained on by this run; `unseen`: names and words that the shipped policy never saw either. */
  readonly split: string;
  readonly n: number;
  readonly exactMatch: number;
  /** 95% interval (Wilson). */
  readonly exactMatchLow: number;
  readonly exactMatchHigh: number;
  readonly reward: number;
  /** 95% interval of the mean reward (normal, from the samples' own spread). */
  readonly rewardLow: number;
  readonly rewardHigh: number;
  /** Mean sub-scores. */
  readonly scores: PerSubTask;
  /** Seconds spent completing and scoring, summed over shards: with several workers more than it took. */
  readonly seconds: number;
}

/** `toolsample status RUN --json`. Stable: fields are added, never changed. */
export interface RunStatus {
  readonly run: string;
  readonly state: RunState;
  /** It is running, but no worker is there: it goes on when one is. */
  readonly withoutWorker: boolean;
  readonly epoch: number;
  readonly step: number;
  /** Planned; with a budget of tokens, as many as it is likely to last for. */
  readonly totalSteps: number;
  /** Hash of the exported `model.safetensors`; null until the run completed or was stopped by `stop`. */
  readonly policySha256: string | null;
  /** The exported HF folder; null until then. */
  readonly policyFolder: string | null;
  /** The step whose policy was exported; null until then. */
  readonly policyStep: number | null;
  readonly generatedTokens: number;
  readonly data: RunDataStatus;
  readonly evaluations: readonly EvaluationStatus[];
  /** The step that was committed last; null before the first. */
  readonly lastStep: StepStatus | null;
  /** Where a fork comes from; null for a run that began anew. */
  readonly forkOf: RunOrigin | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Why the run failed or stopped. */
  readonly reason: string | null;
  /** What was asked of it and has not come about yet. */
  readonly requested: PendingRequest | null;
  /** Requests that it accepted, newest first; {@link LISTED_REQUESTS} at most. */
  readonly requests: readonly RequestStatus[];
  /** Settings that were changed since its start, in that order. */
  readonly settings: readonly SettingChange[];
}

/** Requests that a status lists. */
export const LISTED_REQUESTS = 20;

export interface StepStatus {
  readonly step: number;
  readonly reward: number;
  readonly rewardStd: number;
  readonly fracRewardZeroStd: number;
  readonly groups: number;
  readonly keptGroups: number;
  readonly mastery: PerSubTask<number | null>;
  readonly weights: PerSubTask;
  readonly generatedTokens: number;
  readonly loss: number | null;
  /**
   * Seconds in which completions were sampled, in which the update was computed (what workers do side by side counts once), and from the
   * step's start to its commit.
   */
  readonly rolloutSeconds: number;
  readonly gradientSeconds: number;
  readonly wallSeconds: number;
}
