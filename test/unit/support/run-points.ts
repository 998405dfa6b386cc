import type { RunDetail, RunEvent, StepPoint } from '../../../contracts/dashboard.ts';
import type { EvaluationStatus } from '../../../contracts/run-status.ts';
import { resolveConfig } from '../../../services/configuration/resolve.ts';

/** A step as the pages get it; step n is committed n seconds after the first moment of all. */
export function point(step: number, part: Partial<StepPoint> = {}): StepPoint {
  return {
    step,
    epoch: 1,
    committedAt: new Date(1e12 + step * 1000).toISOString(),
    reward: step / 10,
    rewardLow: 0,
    rewardHigh: 1,
    exactMatch: 0,
    exactMatchLow: 0,
    exactMatchHigh: 0,
    groups: 4,
    keptGroups: 4,
    rounds: 1,
    zeroVariance: 0.25,
    active: true,
    mastery: { format: 0.9, name: 0.8, key: 0.5 + step / 100, value: 0.7 },
    weights: { format: 0.5, name: 0.8, key: 1.5, value: 1.2 },
    entropy: 1,
    kl: null,
    clipLow: 0,
    clipHigh: 0,
    loss: 0,
    gradNorm: 1,
    learningRate: 1e-3,
    meanLength: 10,
    cutOff: 0,
    generatedTokens: 100,
    rolloutSeconds: 1,
    gradientSeconds: 1,
    wallSeconds: 2.5,
    moves: { new: 0, easy: 0, 'hard-live': 0, 'hard-dead': 0, plateau: 0, active: 0 },
    ...part,
  };
}

/** The first so many steps of a run. */
export function points(count: number): StepPoint[] {
  return Array.from({ length: count }, (_, i) => point(i + 1));
}

/** @param at - Milliseconds after the first moment of all. */
export function event(kind: string, step: number | null, message: string, at = 0): RunEvent {
  return { kind, step, message, at: new Date(1e12 + at).toISOString() };
}

/** An evaluation of 100 samples in 3 s. */
export function evaluation(step: number, exactMatch: number): EvaluationStatus {
  return {
    epoch: 1,
    step,
    split: 'heldout',
    n: 100,
    exactMatch,
    exactMatchLow: exactMatch - 0.1,
    exactMatchHigh: exactMatch + 0.1,
    reward: 1,
    rewardLow: 0.5,
    rewardHigh: 1.5,
    scores: { format: 1, name: 1, key: 1, value: 1 },
    seconds: 3,
  };
}

/** A run of 20 samples, under way. */
export function detail(
  evaluations: readonly EvaluationStatus[],
  part: Partial<RunDetail> = {},
): RunDetail {
  return {
    overview: {
      run: 'r',
      state: 'running',
      withoutWorker: false,
      reason: null,
      requested: null,
      policy: 'builtin',
      data: 'builtin',
      sampler: 'dscl',
      curriculum: 'tdcl',
      seed: 1,
      step: 1,
      totalSteps: 10,
      generatedTokens: 1,
      startedAt: '',
      finishedAt: null,
      secondsLeft: null,
      rewards: [],
      heldOut: null,
    },
    config: resolveConfig({}),
    corpusSamples: 20,
    policyParameters: null,
    heldOut: [{ split: 'heldout', samples: 10 }],
    evaluations,
    settings: [],
    forkOf: null,
    events: [],
    coldStart: [{ committedAt: new Date(1e12 - 1000).toISOString(), seconds: 4 }],
    ...part,
  };
}
