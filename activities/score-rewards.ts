import type { RoundKey, ScoreSummary } from '../contracts/activities.ts';
import type { RunConfig } from '../contracts/config.ts';
import type { PerSubTask } from '../contracts/reward.ts';
import type { Sample } from '../contracts/sample.ts';
import { samplesById } from '../db/corpora.ts';
import { learningStateBefore } from '../db/curriculum.ts';
import { groupsOfRound } from '../db/groups.ts';
import { commitScores, type ScoredGroup, type ScoredRollout } from '../db/reward-scores.ts';
import { rolloutsOfRound, type RolloutRow } from '../db/rollouts.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { findRound, type RoundRow } from '../db/steps.ts';
import { mean, sampleVariance } from '../dscl/moments.ts';
import { scoreCompletion, weightedReward } from '../dscl/reward.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** Scores every completion of a round, unweighted and under the step's curriculum. */
export async function scoreRewards(
  { db }: Pick<ActivityDependencies, 'db'>,
  key: RoundKey,
): Promise<ScoreSummary> {
  const committed = await findRound(db, key);
  if (committed?.scoredAt) return summary(committed);

  const { config, corpus } = await readRunAt(db, key.run, key.step);
  const { curriculum } = await learningStateBefore(db, key.run, key.step);
  const groups = await groupsOfRound(db, key);
  const rollouts = await rolloutsOfRound(db, key);
  const wanted = groups.length * config.numGenerations;
  if (rollouts.length !== wanted) {
    throw new Error(`${rollouts.length} of ${wanted} completions of the round are there`);
  }
  const samples = await samplesById(
    db,
    corpus,
    groups.map(({ sampleId }) => sampleId),
  );
  const scored = rollouts.map((row) => score(row, samples, config, curriculum.weights));
  const scoredGroups = groups.map(({ rank }) =>
    inShort(
      rank,
      scored.filter((row) => row.rank === rank),
    ),
  );
  const row = await commitScores(db, key, {
    curriculumVersion: curriculum.version,
    rollouts: scored,
    groups: scoredGroups,
    reward: mean(scored.map(({ reward }) => reward)),
    rewardStd: mean(scoredGroups.map(({ rewardStd }) => rewardStd)),
    exactMatch: mean(scored.map(({ exactMatch }) => Number(exactMatch))),
  });
  return summary(row);
}

function score(
  row: RolloutRow,
  samples: ReadonlyMap<string, Sample>,
  { valueMatch }: RunConfig,
  weights: PerSubTask,
): ScoredRollout {
  const sample = samples.get(row.sampleId);
  if (sample === undefined) throw new Error(`sample "${row.sampleId}" is not in the corpus`);
  const breakdown = scoreCompletion({
    completion: row.completion,
    groundTruth: sample,
    valueMatch,
  });
  return {
    ...breakdown,
    rank: row.rank,
    index: row.index,
    weightedReward: weightedReward(breakdown, weights),
  };
}

function inShort(rank: number, rows: readonly ScoredRollout[]): ScoredGroup {
  const rewards = rows.map(({ reward }) => reward);
  const weighted = rows.map((row) => row.weightedReward);
  return {
    rank,
    reward: mean(rewards),
    rewardStd: Math.sqrt(sampleVariance(rewards)),
    weightedReward: mean(weighted),
    weightedRewardStd: Math.sqrt(sampleVariance(weighted)),
    exactMatch: mean(rows.map(({ exactMatch }) => Number(exactMatch))),
  };
}

function summary({ groups, reward, rewardStd, exactMatch }: RoundRow): ScoreSummary {
  if (reward === null || rewardStd === null || exactMatch === null) {
    throw new Error('a scored round has no rewards');
  }
  return { groups, reward, rewardStd, exactMatch };
}
