import { EventEmitter, once } from 'node:events';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type {
  AcceleratorActivities,
  GradientSummary,
  LightActivities,
  RunPlan,
  StepKey,
} from '../../contracts/activities.ts';

export type AnyActivities = LightActivities & AcceleratorActivities;

/** A call as the workflow made it: the activity's name and its key. */
export interface RecordedCall {
  readonly activity: string;
  readonly input: object;
}

export const SMALL_PLAN: RunPlan = {
  name: 'small',
  policy: 'random',
  sampler: 'dscl',
  curriculum: 'tdcl',
  epochs: 2,
  stepsPerEpoch: 2,
  totalSteps: 4,
  maxBackfillRounds: 2,
  warmStartSlices: 2,
  evaluateAt: [2, 4],
  splits: ['heldout', 'unseen'],
  committedStep: 0,
};

/**
 * Activities without Postgres or policy, to see what the workflows make of them: each call is noted, results are
 * fixed by the key.
 */
export function standInActivities(
  plan: RunPlan,
  overrides: Partial<AnyActivities> = {},
): { activities: AnyActivities; calls: RecordedCall[] } {
  const calls: RecordedCall[] = [];
  const base: AnyActivities = {
    prepareRun: async () => plan,
    selectBatch: async () => ({ groups: 4, shards: 2, active: true }),
    rollout: async () => ({ completions: 8, generatedTokens: 100, seconds: 0.1 }),
    scoreRewards: async () => ({ groups: 4, reward: 1.5, rewardStd: 0.5, exactMatch: 0.25 }),
    filterGroups: async ({ round }) => ({
      kept: 2 + round,
      dropped: 2 - round,
      backfillShards: round === 0 ? 1 : 0,
    }),
    updateCurriculum: async ({ step }) => ({
      version: step,
      active: true,
      mastery: 'format .9',
      weights: 'format 1',
    }),
    gradientShard: async () => ({ microBatches: 2, seconds: 0.1 }),
    gradientStep: async (key) => gradientOf(key),
    warmStart: async ({ slice }) => ({ slice, steps: 10, loss: 1, tokens: 100 }),
    evaluateShard: async () => ({ seconds: 1 }),
    evaluatePolicy: async ({ step }) => ({
      n: 10,
      exactMatch: 0.4 + step / 100,
      exactMatchLow: 0.2,
      exactMatchHigh: 0.6,
      reward: 2,
    }),
    exportPolicy: async () => ({ policySha256: 'ab'.repeat(32), folder: '/policy' }),
    recordOutcome: async () => undefined,
    prepareEvaluation: async () => ({
      policy: 'small',
      parts: [
        { part: 'multiple', questions: 20, shards: 5, done: [1] },
        { part: 'parallel', questions: 4, shards: 1, done: [] },
      ],
    }),
    evaluateSuiteShard: async () => ({
      answered: 4,
      correct: 1,
      completionTokens: 40,
      seconds: 0.1,
    }),
    finishEvaluation: async () => ({ folder: null }),
    recordEvaluation: async () => undefined,
    prepareExperiment: async () => ({ base: {}, arms: [], runs: [], parallel: 1 }),
    recordExperiment: async () => undefined,
    recordRequest: async () => ({ step: 0 }),
    changeSettings: async ({ settings }) => ({
      step: 0,
      changes: Object.entries(settings).map(([key, to]) => ({ key, from: 0, to, fromStep: 2 })),
    }),
    ...overrides,
  };
  const activities = Object.fromEntries(
    Object.entries(base).map(([activity, run]) => [
      activity,
      async (input: object) => {
        calls.push({ activity, input });
        return (run as (input: object) => Promise<unknown>)(input);
      },
    ]),
  );
  return { activities: activities as unknown as AnyActivities, calls };
}

/**
 * An experiment of two arms and two seeds whose first run was made before; runs are small.
 *
 * @param failing - Place of the run that cannot be prepared.
 */
export function smallExperiment(
  name: string,
  { failing, parallel = 2 }: { readonly failing?: number; readonly parallel?: number },
): Pick<AnyActivities, 'prepareExperiment' | 'prepareRun'> {
  const arms = ['uniform', 'dscl'].map((arm) => ({ arm, settings: { sampler: arm } }));
  const runs = [1, 2].flatMap((seed) =>
    arms.map(({ arm }) => ({ run: `${name}.${arm}.${seed}`, arm, seed })),
  );
  return {
    prepareExperiment: async () => ({
      base: { corpusSize: 16 },
      arms,
      runs: runs.map((run, place) => ({ ...run, completed: place === 0 })),
      parallel,
    }),
    prepareRun: async ({ run }) => {
      if (failing !== undefined && run === runs[failing]?.run)
        throw ApplicationFailure.nonRetryable('no such file', 'dataset');
      return { ...SMALL_PLAN, name: run, warmStartSlices: 0, epochs: 1, totalSteps: 2 };
    },
  };
}

function gradientOf({ step }: StepKey): GradientSummary {
  return {
    skipped: false,
    reward: 1 + step / 10,
    loss: 0.01 * step,
    gradNorm: 1,
    keptGroups: 3,
    groups: 4,
    generatedTokens: 300,
    seconds: 0.1,
  };
}

/** Activities of a run whose budget of tokens is spent in a step. */
export function spendingIn(last: number): Partial<AnyActivities> {
  return {
    gradientStep: async (key) => ({
      ...gradientOf(key),
      ...(key.step === last ? { endsRun: true } : {}),
    }),
  };
}

/** Work of a stand-in that ends only when it is cancelled; it beats as the real one does. */
export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => {
    context.heartbeat();
  }, 200);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(beat);
  }
}

/** Activities that hold one run at its first rollout until it is cancelled. */
export function heldUntilCancelled(held: string): Pick<AnyActivities, 'rollout'> {
  return {
    rollout: async ({ run }) =>
      run === held ? untilCancelled() : { completions: 8, generatedTokens: 100, seconds: 0.1 },
  };
}

/** Activities of which the first step's selection waits until the test opens it. */
export function heldFirstStep(): { overrides: Partial<AnyActivities>; open: () => void } {
  const opening = new EventEmitter();
  const opened = once(opening, 'open');
  return {
    open: () => void opening.emit('open'),
    overrides: {
      selectBatch: async ({ step }) => {
        if (step === 1) await opened;
        return { groups: 4, shards: 1, active: true, evaluate: step === 4 ? ['heldout'] : [] };
      },
    },
  };
}
