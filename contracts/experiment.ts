import type { RunConfigInput } from './config.ts';
import type { RunState } from './run-status.ts';
import { ABLATIONS, type CurriculumName, type SamplerName } from './sampling.ts';

/**
 * What is the same in every step of an experiment's runs. `fixed-prompts`: the prompts that are rolled out; groups without variance
 * are lost. `fixed-batch`: the groups that are trained on; those without variance are replaced by backfill, which costs tokens.
 */
export const PROTOCOLS = ['fixed-prompts', 'fixed-batch'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Built-in corpora that tell samplers apart. */
export const CORPUS_NAMES = ['balanced', 'skewed', 'skewed-noisy', 'small'] as const;
export type CorpusName = (typeof CORPUS_NAMES)[number];

/** The parts of DSCL that an arm can do without. */
export const DSCL_PARTS = [...ABLATIONS, 'curriculum', 'filtering'] as const;
export type DsclPart = (typeof DSCL_PARTS)[number];

/** Settings that the experiment decides, and so nobody else. */
export const DECIDED_SETTINGS = [
  'seed',
  'sampler',
  'curriculum',
  'sampling.ablate',
  'filterGroups',
  'oversample',
  'maxBackfillRounds',
  'maxGeneratedTokens',
  'maxSteps',
  'numTrainEpochs',
] as const;

/** What an experiment compares: input of the workflow `experiment`, as JSON that any Temporal client can write. */
export interface ExperimentAsked {
  /** Each with each of the curricula is an arm. */
  readonly samplers: readonly SamplerName[];
  readonly curricula: readonly CurriculumName[];
  /** DSCL without one of its parts: an arm each. */
  readonly without: readonly DsclPart[];
  /** Seeds of each arm … */
  readonly seeds: number;
  /** … from this one on. */
  readonly firstSeed: number;
  /** Generated tokens with which a run ends. */
  readonly tokens: number;
  readonly protocol: Protocol;
  /** A built-in corpus; null: the data of `config`. */
  readonly corpus: CorpusName | null;
  /** Runs that are under way at a time. */
  readonly parallel: number;
  /** Settings of all runs, canonical names and values as given; what the experiment decides cannot be among them. */
  readonly config: RunConfigInput;
  /** Settings of a sampler's arms, over those of all runs, such as the learning rate that was found best for it. */
  readonly tuned: { readonly [sampler in SamplerName]?: RunConfigInput };
}

/** Runs that differ in nothing but their seed. */
export interface ExperimentArm {
  /** E.g. `dscl + tdcl`, `dscl + tdcl without staleness`. */
  readonly arm: string;
  /** What it sets, canonical names. */
  readonly settings: RunConfigInput;
}

export interface ExperimentRun {
  /** Id of the run: `<experiment>.<arm>.<seed>`. */
  readonly run: string;
  readonly arm: string;
  readonly seed: number;
}

/** An experiment spelt out. */
export interface ExperimentPlan {
  readonly asked: ExperimentAsked;
  /** Settings of all runs: {@link ExperimentAsked.config}, the corpus, the budget. Arms' settings and the seed go on top. */
  readonly base: RunConfigInput;
  readonly arms: readonly ExperimentArm[];
  /** The arm that others are compared with. */
  readonly baseline: string;
  /** Seed by seed, so that what is finished can be compared in pairs. */
  readonly runs: readonly ExperimentRun[];
  /** What somebody who asked should know, e.g. that two arms would be the same. */
  readonly notes: readonly string[];
}

/** What the workflow gets of a plan. */
export interface PreparedExperiment {
  readonly base: RunConfigInput;
  readonly arms: readonly ExperimentArm[];
  readonly runs: readonly (ExperimentRun & { readonly completed: boolean })[];
  readonly parallel: number;
}

export const EXPERIMENT_STATES = ['running', 'completed', 'failed', 'stopped'] as const;
/** `stopped`: interrupted by the user; the same command goes on. */
export type ExperimentState = (typeof EXPERIMENT_STATES)[number];
/** How one ends. */
export type ExperimentOutcome = Exclude<ExperimentState, 'running'>;

/** How an experiment stands. */
export interface ExperimentStatus {
  readonly experiment: string;
  readonly state: ExperimentState;
  readonly reason: string | null;
  readonly asked: ExperimentAsked;
  readonly baseline: string;
  readonly runs: readonly ExperimentRunStatus[];
}

export interface ExperimentRunStatus extends ExperimentRun {
  /** Null: it has not begun. */
  readonly state: RunState | null;
  readonly generatedTokens: number;
}

/** What a completed run of an experiment came to. */
export interface ExperimentRunResult extends ExperimentRun {
  readonly steps: number;
  readonly generatedTokens: number;
  /** Share of groups without variance, over all groups that were rolled out. */
  readonly zeroVariance: number;
  /** Evaluations on the first held-out split, in order; the first is before training. */
  readonly curve: readonly CurvePoint[];
}

export interface CurvePoint {
  /** Generated so far. */
  readonly tokens: number;
  readonly reward: number;
  readonly exactMatch: number;
}
