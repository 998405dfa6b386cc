import type { PerSubTask } from './reward.ts';
import type { EvaluationStatus, StepStatus } from './run-status.ts';

/** A committed step with every number that is kept of it; the fields of `status --json`, and more. */
export interface StepMetrics extends StepStatus {
  readonly epoch: number;
  readonly committedAt: string;
  /** Dynamic sampling chose the prompts. */
  readonly active: boolean;
  /** Rounds of rollout, backfill included. */
  readonly rounds: number | null;
  readonly completions: number | null;
  /** Share of exact matches in the batch. */
  readonly exactMatch: number | null;
  /** Mean sub-scores of the batch. */
  readonly scores: PerSubTask<number | null>;
  /** Mean reward under the step's curriculum. */
  readonly weightedReward: number | null;
  /** Tokens of a completion, on average. */
  readonly completionsMeanLength: number | null;
  /** Share of completions that the length limit cut off. */
  readonly completionsClippedRatio: number | null;
  /** Up to and including this step. */
  readonly generatedTokensInAll: number;
  /** Null, like the seven below, when the step trained on nothing. Before clipping. */
  readonly gradNorm: number | null;
  readonly learningRate: number | null;
  /** In nats. */
  readonly entropy: number | null;
  /** Null also when `beta` is 0. */
  readonly kl: number | null;
  readonly clipRatioLow: number | null;
  readonly clipRatioHigh: number | null;
  /** Of a token's log-probability in the trainer to that in the rollout, on average; null also for steps before it was kept. */
  readonly samplingLogpDifference: number | null;
  /** Prompts included. */
  readonly trainedTokens: number | null;
}

/** The numbers of a run, for other programs to draw. */
export interface RunMetrics {
  readonly run: string;
  readonly startedAt: string;
  readonly steps: readonly StepMetrics[];
  readonly evaluations: readonly EvaluationStatus[];
}

/** `jsonl`: a JSON object a line; `csv`: one table; `tensorboard`: an event file. */
export const METRICS_FORMATS = ['jsonl', 'csv', 'tensorboard'] as const;
export type MetricsFormat = (typeof METRICS_FORMATS)[number];
