import type { DeviceChoice } from './config.ts';
import type { PerSubTask, ValueMatch } from './reward.ts';

/** What an evaluation consists of: `bfcl`: BFCL's questions, by its own rules; `samples`: a file of samples, by our reward. */
export const SUITES = ['bfcl', 'samples'] as const;
export type Suite = (typeof SUITES)[number];

export const SUITE_STATES = ['running', 'completed', 'failed', 'stopped'] as const;
/** `failed` and `stopped`: the same command goes on. */
export type SuiteState = (typeof SUITE_STATES)[number];

/** The one part of an evaluation on a file of samples. */
export const SAMPLES_PART = 'samples';

/** What is evaluated, on what and how: all that decides the result. */
export interface EvaluationAsked {
  /** `builtin`, a Hugging Face folder, or a checkpoint of a run. */
  readonly policy: string | { readonly run: string; readonly step: number };
  /** What people call the policy; names the folders of its results. */
  readonly policyName: string;
  readonly suite: Suite;
  /** Absolute path: the folder of BFCL's files, or a file of samples. */
  readonly data: string;
  /** BFCL's categories, in its order; empty for a file of samples. */
  readonly categories: readonly string[];
  /** Questions of each category (or samples) at most; null: all. */
  readonly limit: number | null;
  /** Tokens of a completion at most. */
  readonly maxCompletionLength: number;
  /** How the reward compares values; BFCL's verdicts have rules of their own. */
  readonly valueMatch: ValueMatch;
  /** Unusable rows of a file of samples that are left out. */
  readonly maxBadRows: number;
  /** Questions that are answered and committed together: what a crash can lose. */
  readonly shardSize: number;
  readonly device: DeviceChoice;
  /** Threads of ONNX Runtime; 0: all cores. */
  readonly threads: number;
  /** Hash of names, sizes and times of change of policy and data: other files are another evaluation. */
  readonly inputs: string;
}

/** What a part came to. */
export interface PartResult {
  /** BFCL's category, or {@link SAMPLES_PART}. */
  readonly part: string;
  readonly questions: number;
  /** Answered so far; the numbers below are of these. */
  readonly answered: number;
  /** By BFCL's rules, or exact matches. */
  readonly correct: number;
  readonly accuracy: number;
  /** 95% interval (Wilson). */
  readonly accuracyLow: number;
  readonly accuracyHigh: number;
  /** Questions whose prompt leaves no room in the policy's context: wrong without having been asked. */
  readonly tooLong: number;
  readonly completionTokens: number;
  readonly seconds: number;
  /** Mean reward and sub-scores; null for BFCL. */
  readonly reward: number | null;
  /** 95% interval of the mean reward (normal); null for BFCL. */
  readonly rewardLow: number | null;
  readonly rewardHigh: number | null;
  readonly scores: PerSubTask | null;
}

/** A mean over categories by BFCL's rules of a version. */
export interface AggregateScore {
  readonly version: 'v3' | 'v4';
  readonly name: string;
  /** What was not run counts as 0, as on the leaderboard. */
  readonly accuracy: number;
  /** Categories that were not run, or groups of which none was. */
  readonly notRun: readonly string[];
}

/** `toolsample eval --json`. Stable: fields are added, never changed. */
export interface EvaluationReport {
  readonly evaluation: string;
  readonly state: SuiteState;
  /** Why it failed or stopped. */
  readonly reason: string | null;
  readonly policy: string;
  /** Where the policy comes from a run; else null. */
  readonly run: string | null;
  readonly step: number | null;
  readonly suite: Suite;
  readonly data: string;
  /** Of each part at most; null: all. */
  readonly limit: number | null;
  readonly parts: readonly PartResult[];
  /** Empty for a file of samples, and until all is answered. */
  readonly aggregates: readonly AggregateScore[];
  /** Rows of the data that could not be used. */
  readonly badRows: number;
  /** Where the results lie in BFCL's own layout; null for a file of samples, and until completed. */
  readonly folder: string | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
}

export interface SuiteEvaluationKey {
  /** The evaluation's id, which is also the workflow id of `policyEvaluation`. */
  readonly evaluation: string;
}

export interface SuiteShardKey extends SuiteEvaluationKey {
  readonly part: string;
  /** 0-based. */
  readonly shard: number;
}

/** What is left to do of an evaluation. */
export interface EvaluationPlan {
  readonly policy: string;
  readonly parts: readonly {
    readonly part: string;
    readonly questions: number;
    readonly shards: number;
    /** Shards that are committed already. */
    readonly done: readonly number[];
  }[];
}

export interface SuiteShardSummary {
  readonly answered: number;
  readonly correct: number;
  readonly completionTokens: number;
  readonly seconds: number;
}
