/** The sub-tasks of a tool call, in the order in which one depends on the other. */
export const SUB_TASKS = ['format', 'name', 'key', 'value'] as const;
export type SubTask = (typeof SUB_TASKS)[number];

/** A number for each sub-task. */
export type PerSubTask<T = number> = { readonly [task in SubTask]: T };

/** What an unweighted reward can be (spec §1); without a call in the ground truth it is from 0 to 1. */
export const REWARD_MIN = -3;
export const REWARD_MAX = 4;

/** How parameter values are compared. `toolrl`: Python equality, as ToolRL's scorer; `bfcl`: BFCL's lenient rules. */
export const VALUE_MATCHES = ['toolrl', 'bfcl'] as const;
export type ValueMatch = (typeof VALUE_MATCHES)[number];

/** One completion's reward taken apart (spec §1). */
export interface RewardBreakdown {
  /** Normalised sub-scores s ∈ [0, 1]. For a ground truth without a call only `format` counts; the others are 0. */
  readonly scores: PerSubTask;
  /** Capacities c of name, key and value (1, m, Σ|K|); all 0 without a ground-truth call. */
  readonly capacities: { readonly name: number; readonly key: number; readonly value: number };
  /** ToolRL's reward R with all weights 1; ∈ [min, max]. Statistics of sampling use this one. */
  readonly reward: number;
  /** Smallest and largest value that `reward` can take for this sample: [−3, 4], or [0, 1] without a call. */
  readonly min: number;
  readonly max: number;
  /** The prediction's call list could be read (valid JSON, name and parameters present). */
  readonly parseable: boolean;
  /** The format is right and names, keys and values all match, in any order of calls: `reward` is `max`. */
  readonly exactMatch: boolean;
  /** Successes and trials of each sub-task given the one before it; the input of mastery (spec §2). */
  readonly conditional: PerSubTask<{ readonly successes: number; readonly trials: number }>;
}
