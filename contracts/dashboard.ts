import type { RunConfig } from './config.ts';
import type { RunOrigin } from './fork.ts';
import type { FinishReason } from './policy.ts';
import type { PendingRequest, SettingChange } from './requests.ts';
import type { PerSubTask } from './reward.ts';
import type { HeldOutSplit } from './run-data.ts';
import type { EvaluationStatus, RunState } from './run-status.ts';
import type { ChatMessage } from './sample.ts';
import type { Category } from './sampling.ts';

/** A run as the list of runs shows it. */
export interface RunOverview {
  readonly run: string;
  readonly state: RunState;
  /** As {@link import('./run-status.ts').RunStatus.withoutWorker}. */
  readonly withoutWorker: boolean;
  /** Why it failed or stopped. */
  readonly reason: string | null;
  /** What was asked of it and has not come about yet. */
  readonly requested: PendingRequest | null;
  readonly policy: string;
  readonly data: string;
  readonly sampler: string;
  readonly curriculum: string;
  readonly seed: number;
  readonly step: number;
  /** As {@link import('./run-status.ts').RunStatus.totalSteps}. */
  readonly totalSteps: number;
  readonly generatedTokens: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /**
   * Seconds that the steps that are left take at the present pace; null before the first step, while no worker is there, and once the run
   * has ended.
   */
  readonly secondsLeft: number | null;
  /** Mean reward over the steps, in {@link SPARK_BINS} equal parts of the planned run at most; null where there is no step yet. */
  readonly rewards: readonly (number | null)[];
  /** First and last evaluation on the first held-out split; null before the first. */
  readonly heldOut: HeldOutChange | null;
}

/** Parts of a run that a spark line tells apart. */
export const SPARK_BINS = 60;

export interface HeldOutChange {
  readonly split: string;
  readonly n: number;
  /** Share of exact matches before training, or at the first evaluation that there is. */
  readonly first: number;
  readonly last: number;
  /** 95% interval of the last one (Wilson). */
  readonly lastLow: number;
  readonly lastHigh: number;
}

/** What a run's page shows besides its steps. */
export interface RunDetail {
  readonly overview: RunOverview;
  readonly config: RunConfig;
  readonly corpusSamples: number;
  readonly policyParameters: number | null;
  /** Empty: it is never evaluated. */
  readonly heldOut: readonly HeldOutSplit[];
  readonly evaluations: readonly EvaluationStatus[];
  readonly settings: readonly SettingChange[];
  /** Where a fork comes from; null for a run that began anew. */
  readonly forkOf: RunOrigin | null;
  readonly events: readonly RunEvent[];
  /** The slices of the supervised cold start, in order. */
  readonly coldStart: readonly ColdStartSlice[];
}

export interface ColdStartSlice {
  readonly committedAt: string;
  /** Of its optimiser steps. */
  readonly seconds: number;
}

/** Something that happened to a run besides its steps. */
export interface RunEvent {
  readonly at: string;
  /** E.g. `resumed`, `paused`, `set`; see the table `events`. */
  readonly kind: string;
  /** Last step that was committed then; null for what belongs to no step. */
  readonly step: number | null;
  readonly message: string;
}

/** A committed step with all that is drawn of it. */
export interface StepPoint {
  readonly step: number;
  readonly epoch: number;
  readonly committedAt: string;
  /** Mean unweighted reward of the batch, and the 95% interval of that mean from the spread between its prompts; null for one prompt. */
  readonly reward: number;
  readonly rewardLow: number | null;
  readonly rewardHigh: number | null;
  /** Share of exact matches in the batch; interval likewise. */
  readonly exactMatch: number;
  readonly exactMatchLow: number | null;
  readonly exactMatchHigh: number | null;
  readonly groups: number;
  readonly keptGroups: number;
  /** Rounds of rollout, backfill included. */
  readonly rounds: number;
  /** Share of groups whose weighted rewards are all equal. */
  readonly zeroVariance: number;
  /** Dynamic sampling chose the prompts. */
  readonly active: boolean;
  readonly mastery: PerSubTask<number | null>;
  /** The weights after this step. */
  readonly weights: PerSubTask;
  /** In nats; null when the step trained on nothing. */
  readonly entropy: number | null;
  readonly kl: number | null;
  readonly clipLow: number | null;
  readonly clipHigh: number | null;
  readonly loss: number | null;
  readonly gradNorm: number | null;
  readonly learningRate: number | null;
  /** Tokens of a completion, on average. */
  readonly meanLength: number;
  /** Share of completions that the length limit cut off. */
  readonly cutOff: number;
  readonly generatedTokens: number;
  readonly rolloutSeconds: number;
  readonly gradientSeconds: number;
  /** From the selection of the batch to the commit. */
  readonly wallSeconds: number;
  /** By how many samples each category grew or shrank; all samples are `new` before the first step. */
  readonly moves: { readonly [category in Category]: number };
}

/** How samples can be sorted, the first ones first. */
export const SAMPLE_ORDERS = ['importance', 'reward', 'visits', 'recent', 'id'] as const;
export type SampleOrder = (typeof SAMPLE_ORDERS)[number];

/** Samples that one answer holds at most. */
export const MOST_SAMPLES = 2000;

/** Samples of a run that a report has, the most important ones. */
export const REPORT_SAMPLES = 500;

/** The samples of a run that were visited, as far as they were asked for. */
export interface SampleHistories {
  readonly corpusSamples: number;
  readonly visited: number;
  readonly samples: readonly SampleHistory[];
}

/** A sample and its last visits, one value a visit in each list. */
export interface SampleHistory {
  readonly sampleId: string;
  /** Difficulty where the source knows one. */
  readonly level: number | null;
  readonly category: Category;
  /** At its last visit, before staleness. */
  readonly importance: number;
  readonly rewardMin: number;
  readonly rewardMax: number;
  /** All of them, also those that are not listed. */
  readonly visits: number;
  readonly steps: readonly number[];
  /** Its group in the step. */
  readonly ranks: readonly number[];
  readonly rewards: readonly (number | null)[];
  readonly rewardStds: readonly (number | null)[];
  readonly exactMatches: readonly (number | null)[];
  /** False: dropped, so that the policy learned nothing from it. Null: not decided yet. */
  readonly kept: readonly (boolean | null)[];
  /** What it was when it was drawn. */
  readonly categories: readonly Category[];
  readonly importances: readonly number[];
}

/** What a sample asks, and what it expects. Long texts are cut. */
export interface ShownTask {
  /** Calls of earlier turns are in the texts. */
  readonly messages: readonly ChatMessage[];
  /** Those that the prompt offers beside its messages; none where the messages tell of them. */
  readonly tools: readonly ShownTool[];
  readonly groundTruth: string;
}

export interface ShownTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema, as text. */
  readonly parameters: string;
}

/** A sample's task, and its visits. */
export interface SampleDetail extends ShownTask {
  readonly history: SampleHistory;
}

/** A group of a step in the list of groups. */
export interface GroupSummary {
  readonly rank: number;
  readonly sampleId: string;
  readonly level: number | null;
  readonly category: Category;
  readonly importance: number;
  readonly state: 'drawn' | 'kept' | 'dropped';
  readonly dropReason: string | null;
  readonly round: number;
  readonly reward: number | null;
  readonly rewardStd: number | null;
  readonly exactMatch: number | null;
  /** What its user asked for last, cut. */
  readonly request: string;
}

/** A group with its completions, each reward taken apart. */
export interface GroupDetail extends ShownTask {
  readonly summary: GroupSummary;
  /** The weights that scored the step. */
  readonly weights: PerSubTask;
  /** What every reward starts from: −3 where calls are asked for, else 0. */
  readonly base: number;
  readonly completions: readonly CompletionDetail[];
}

export interface CompletionDetail {
  readonly index: number;
  readonly text: string;
  readonly tokens: number;
  readonly finishReason: FinishReason;
  readonly reward: number | null;
  readonly weightedReward: number | null;
  readonly exactMatch: boolean | null;
  /** Null when the group was not trained on. */
  readonly advantage: number | null;
  /** Null until it is scored. */
  readonly parts: PerSubTask<RewardPart> | null;
  /** Wanted and given calls side by side; null when the calls could not be read. */
  readonly calls: readonly ComparedCall[] | null;
}

/** What a sub-task adds to a reward. */
export interface RewardPart {
  /** 0 to 1. */
  readonly score: number;
  /** Points with all weights 1, of how many. */
  readonly points: number;
  readonly most: number;
  /** Points under the step's weights. */
  readonly weightedPoints: number;
}

/** A call of the ground truth, the call that was matched with it, or both. */
export interface ComparedCall {
  /** Null: the ground truth does not have this call. */
  readonly wanted: string | null;
  /** Null: the completion does not have this call. */
  readonly given: string | null;
  readonly parameters: readonly ComparedParameter[];
}

export interface ComparedParameter {
  readonly key: string;
  /** JSON; null: the ground truth does not have this key. */
  readonly wanted: string | null;
  /** JSON; null: the completion does not have this key. */
  readonly given: string | null;
  /** Whether the value counts as right; false for a key that only one side has, unless it may be left out. */
  readonly right: boolean;
}
