import type { RunConfig } from '../contracts/config.ts';
import { INITIAL_CURRICULUM, type CurriculumState } from '../contracts/curriculum.ts';
import type { RewardBreakdown } from '../contracts/reward.ts';
import type { ActivationState, SampleStatistics } from '../contracts/sampling.ts';
import type { IngestedSample } from '../db/corpus-ingestion.ts';
import { INITIAL_ACTIVATION, nextActivation, picksDynamically } from '../dscl/activation.ts';
import { nextCurriculum } from '../dscl/curriculum.ts';
import { divideDraw, divideShuffle, type DividedDraw } from '../dscl/drawn-batch.ts';
import { firstRoundGroups } from '../dscl/filter.ts';
import { averageImportance, fading, halfLifeSteps, staleImportance } from '../dscl/importance.ts';
import { poolEvidence } from '../dscl/mastery.ts';
import { mean } from '../dscl/moments.ts';
import { chances, pickByImportance, pickShuffled } from '../dscl/selection.ts';
import { visitSample } from '../dscl/statistics.ts';

/** What a run knows between steps; in the product it is in Postgres. */
export interface Learned {
  readonly statistics: Map<string, SampleStatistics>;
  curriculum: CurriculumState;
  activation: ActivationState;
}

export function nothingLearned(): Learned {
  return { statistics: new Map(), curriculum: INITIAL_CURRICULUM, activation: INITIAL_ACTIVATION };
}

/** A group with its scored completions. */
export interface ScoredGroup {
  readonly sample: IngestedSample;
  readonly breakdowns: readonly RewardBreakdown[];
}

/** The samples of a step. */
export interface Drawn {
  /** Rolled out at first. */
  readonly first: readonly IngestedSample[];
  /** Candidates for backfill, in their order. */
  readonly reserve: readonly IngestedSample[];
}

/** The samples of a step as `selectBatch` and `filterGroups` take them. */
export function drawSamples(
  config: RunConfig,
  corpus: readonly IngestedSample[],
  learned: Learned,
  at: { readonly step: number; readonly epoch: number; readonly drawnInEpoch: number },
): Drawn {
  const { seed: runSeed, sampling, trainBatchSize } = config;
  const first = firstRoundGroups(trainBatchSize, config.oversample, corpus.length);
  const count = Math.min(first * (1 + config.maxBackfillRounds), corpus.length);
  const active = picksDynamically(learned.activation, { ...sampling, sampler: config.sampler });
  const byId = new Map(corpus.map((each) => [each.sample.id, each]));
  const parts = (ids: readonly string[], { first: at, reserve }: DividedDraw): Drawn => {
    const samples = ids.map((id) => byId.get(id));
    const taken = (places: readonly number[]) => places.flatMap((place) => samples[place] ?? []);
    return { first: taken(at), reserve: taken(reserve) };
  };
  if (!active) {
    const order = { runSeed, epoch: at.epoch, offset: at.drawnInEpoch, count };
    const shuffled = pickShuffled([...byId.keys()], order);
    return parts(shuffled, divideShuffle(shuffled.length, first));
  }
  const known = weighed(config, corpus, learned, at.step);
  const importances = new Map(known.map(({ id, importance: value }) => [id, value]));
  const picked = pickByImportance(known, { runSeed, step: at.step, count });
  const worth = picked.map((id) => importances.get(id) ?? 0);
  return parts(picked, divideDraw(worth, { wanted: first, uniformShare: sampling.uniformShare }));
}

function weighed(
  config: RunConfig,
  corpus: readonly IngestedSample[],
  { statistics }: Learned,
  step: number,
): { id: string; importance: number; probability: number }[] {
  const { sampling, sampler, trainBatchSize } = config;
  const options = { ...sampling, sampler };
  const known = corpus.map(({ sample, rewardMin: min, rewardMax: max }) => {
    const visited = statistics.get(sample.id);
    return visited === undefined ? null : fading(visited, { min, max }, options);
  });
  const average = averageImportance(known.flatMap((visited) => visited?.importance ?? []));
  const halfLife = sampling.ablate.includes('staleness')
    ? Number.POSITIVE_INFINITY
    : halfLifeSteps(sampling.halfLifeEpochs, corpus.length, trainBatchSize);
  const stale = known.map((visited) =>
    visited === null ? average : staleImportance(visited, step, average, halfLife),
  );
  const { probabilities } = chances(stale, sampling);
  return corpus.map(({ sample }, i) => ({
    id: sample.id,
    importance: stale[i] ?? 0,
    probability: probabilities[i] ?? 0,
  }));
}

/** What a step's rollouts teach, as `updateCurriculum` commits it. */
export function learn(
  config: RunConfig,
  learned: Learned,
  groups: readonly ScoredGroup[],
  step: number,
): void {
  for (const { sample, breakdowns } of groups) {
    const { id } = sample.sample;
    const rewards = breakdowns.map(({ reward }) => reward);
    learned.statistics.set(id, visitSample(learned.statistics.get(id) ?? null, rewards, step));
  }
  const all = groups.flatMap(({ breakdowns }) => breakdowns);
  learned.curriculum = nextCurriculum(learned.curriculum, poolEvidence(all), config);
  const reward = mean(all.map((breakdown) => breakdown.reward));
  learned.activation = nextActivation(learned.activation, reward, config.sampling);
}
