import type { RunConfigInput } from './config.ts';
import type { ExperimentAsked, ExperimentOutcome, PreparedExperiment } from './experiment.ts';
import type { JsonValue } from './json.ts';
import type { RunRequest, SetAsked, SettingChange } from './requests.ts';
import type {
  EvaluationAsked,
  EvaluationPlan,
  SuiteEvaluationKey,
  SuiteShardKey,
  SuiteShardSummary,
} from './suite-evaluation.ts';

/**
 * Activities as workflows see them. Inputs are keys, outputs are references and counts: the state itself is in Postgres.
 * Each activity first looks for the row that its key committed before, and returns that: a retry changes nothing.
 */

export interface RunKey {
  /** The run's id, which is also the workflow id of `trainingRun`. */
  readonly run: string;
}
export interface EpochKey extends RunKey {
  /** 1-based. */
  readonly epoch: number;
}
/** `step` counts from 1 through the whole run. */
export interface StepKey extends EpochKey {
  readonly step: number;
}
/** Round 0 is the first rollout of a step; backfill counts from 1. */
export interface RoundKey extends StepKey {
  readonly round: number;
}
export interface ShardKey extends RoundKey {
  readonly shard: number;
}

/** What `prepareRun` decided: all that the workflow needs of the configuration. */
export interface RunPlan {
  readonly name: string;
  readonly policy: string;
  readonly sampler: string;
  readonly curriculum: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly maxBackfillRounds: number;
  /** Slices of the warm start; 0 when there is none. */
  readonly warmStartSlices: number;
  /** How many of them are committed: a resumed run goes on after them. Absent: none, and in histories of older versions. */
  readonly committedSlices?: number;
  /** Steps from the last committed one on after which the policy is evaluated (the last one included; step 0 always is). */
  readonly evaluateAt: readonly number[];
  /** Splits evaluated at the start and the end; the first one also in between. */
  readonly splits: readonly string[];
  /** Last step that is wholly committed: a resumed run goes on after it. */
  readonly committedStep: number;
  /** In how many shards a split is evaluated, where it is more than one. Absent in histories of older versions. */
  readonly evaluationShards?: { readonly [split: string]: number };
  /** Parts of a gradient step, where there are several. Absent in histories of older versions. */
  readonly gradientShards?: number;
  /** The run of which this is a fork; absent for one that began anew. */
  readonly forkOf?: string;
  /** Set by the worker, not by `prepareRun`: the server knows our search attributes. Absent: do without. */
  readonly searchAttributes?: boolean;
}

export interface SelectedBatch {
  readonly groups: number;
  readonly shards: number;
  /** Dynamic sampling is on (false: still the seeded shuffle). */
  readonly active: boolean;
  /** Splits on which the policy is evaluated after the step. Absent in histories of older versions: the plan tells. */
  readonly evaluate?: readonly string[];
}

export interface RolloutSummary {
  readonly completions: number;
  readonly generatedTokens: number;
  readonly seconds: number;
}

export interface ScoreSummary {
  readonly groups: number;
  readonly reward: number;
  readonly rewardStd: number;
  readonly exactMatch: number;
}

export interface FilterOutcome {
  readonly kept: number;
  readonly dropped: number;
  /** Shards of the next round to roll out; 0 when enough groups are kept or no round is left. */
  readonly backfillShards: number;
}

export interface CurriculumSummary {
  readonly version: number;
  readonly active: boolean;
  /** Mastery and weights as short texts for the UI, e.g. `format .99 · name .91 · key .84 · value .62`. */
  readonly mastery: string;
  readonly weights: string;
}

export interface GradientSummary {
  /** Skipped: no group was kept; the policy stays as it was. */
  readonly skipped: boolean;
  /** Over all rounds of the step. */
  readonly reward: number;
  /** Over all rounds, too. Absent in histories of older versions. */
  readonly rewardStd?: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly keptGroups: number;
  readonly groups: number;
  readonly generatedTokens: number;
  readonly seconds: number;
  /** Set where the step spent the run's budget of tokens: it is the last one, whatever the plan said. */
  readonly endsRun?: boolean;
}

export interface GradientShardKey extends StepKey {
  /** 0-based. */
  readonly shard: number;
  readonly shards: number;
}
export interface GradientShardSummary {
  /** What was left for this shard: none, perhaps. */
  readonly microBatches: number;
  readonly seconds: number;
}

export interface WarmStartKey extends RunKey {
  /** 1-based. */
  readonly slice: number;
}
export interface WarmStartSummary {
  readonly slice: number;
  readonly steps: number;
  readonly loss: number;
  readonly tokens: number;
}

export interface EvaluationKey extends StepKey {
  readonly split: string;
}
export interface EvaluationShardKey extends EvaluationKey {
  /** 0-based. */
  readonly shard: number;
  readonly shards: number;
}
export interface EvaluationShardSummary {
  /** What it took; 0 when all was there already. */
  readonly seconds: number;
}
export interface WholeEvaluation extends EvaluationKey {
  /** What the shards took before. */
  readonly shardSeconds?: number;
}
export interface EvaluationSummary {
  readonly n: number;
  readonly exactMatch: number;
  readonly exactMatchLow: number;
  readonly exactMatchHigh: number;
  readonly reward: number;
}

export interface ExportKey extends StepKey {
  /** The run ends here because it was told to: it is not completed. */
  readonly stopped?: boolean;
}
export interface ExportSummary {
  readonly policySha256: string;
  readonly folder: string;
}

/** A request that the workflow accepted. */
export interface RequestKey extends RunKey {
  /** Names the request for good: recording it again changes nothing. */
  readonly request: string;
  readonly by: string;
  readonly via: 'update' | 'signal';
}
export interface RecordedRequest {
  /** Last step that is committed. */
  readonly step: number;
}

export interface ExperimentKey {
  /** The experiment's id, which is also the workflow id of `experiment`. */
  readonly experiment: string;
}

/** Light work: Postgres and arithmetic; task queue `<queue>`. */
export interface LightActivities {
  /** `config`: any part of the configuration, or, with a field `fork` ({@link import('./fork.ts').ForkAsked}), what a fork changes of its parent's. */
  prepareRun(input: RunKey & { readonly config: RunConfigInput }): Promise<RunPlan>;
  selectBatch(input: StepKey): Promise<SelectedBatch>;
  scoreRewards(input: RoundKey): Promise<ScoreSummary>;
  filterGroups(input: RoundKey): Promise<FilterOutcome>;
  updateCurriculum(input: StepKey): Promise<CurriculumSummary>;
  /** Records how the run ended when it did not complete, or that it waits (`paused`) or goes on (`running`). */
  recordOutcome(
    input: RunKey & {
      readonly state: 'failed' | 'stopped' | 'paused' | 'running';
      /** Shown by `status`; empty for `running`. */
      readonly reason: string;
    },
  ): Promise<void>;
  /** Records what was asked of the run. */
  recordRequest(
    input: RequestKey & {
      readonly kind: Exclude<RunRequest, 'set'>;
      readonly from: JsonValue;
      readonly to: JsonValue;
    },
  ): Promise<RecordedRequest>;
  /** Changes settings from the next step on that is not selected yet, and records it; refuses what cannot change. */
  changeSettings(
    input: RequestKey & Pick<SetAsked, 'settings'>,
  ): Promise<RecordedRequest & { readonly changes: readonly SettingChange[] }>;
  /** Takes policy and questions of an evaluation on a suite into the store; tells what is left to do of one that exists. */
  prepareEvaluation(
    input: SuiteEvaluationKey & { readonly asked: EvaluationAsked },
  ): Promise<EvaluationPlan>;
  /** Writes the results and completes the evaluation. */
  finishEvaluation(input: SuiteEvaluationKey): Promise<{ readonly folder: string | null }>;
  /** Records how an evaluation on a suite ended that did not complete. */
  recordEvaluation(
    input: SuiteEvaluationKey & { readonly state: 'failed' | 'stopped'; readonly reason: string },
  ): Promise<void>;
  /** Checks and stores what an experiment compares; one that exists goes on, and tells which of its runs have completed. */
  prepareExperiment(
    input: ExperimentKey & { readonly asked: Partial<ExperimentAsked> },
  ): Promise<PreparedExperiment>;
  /** Records how an experiment that is under way ended. */
  recordExperiment(
    input: ExperimentKey & {
      readonly state: ExperimentOutcome;
      /** Empty where there is none. */
      readonly reason: string;
    },
  ): Promise<void>;
}

/** Work of the policy engine, one at a time per worker; task queue `<queue>-gpu`. */
export interface AcceleratorActivities {
  warmStart(input: WarmStartKey): Promise<WarmStartSummary>;
  rollout(input: ShardKey): Promise<RolloutSummary>;
  gradientShard(input: GradientShardKey): Promise<GradientShardSummary>;
  gradientStep(input: StepKey): Promise<GradientSummary>;
  evaluateShard(input: EvaluationShardKey): Promise<EvaluationShardSummary>;
  evaluatePolicy(input: WholeEvaluation): Promise<EvaluationSummary>;
  exportPolicy(input: ExportKey): Promise<ExportSummary>;
  evaluateSuiteShard(input: SuiteShardKey): Promise<SuiteShardSummary>;
}
