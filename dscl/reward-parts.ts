import type { RewardPart } from '../contracts/dashboard.ts';
import { SUB_TASKS, type PerSubTask, type RewardBreakdown } from '../contracts/reward.ts';

/** Where a call is asked for, a reward starts from here and has this many points to gain. */
const CALL_BASE = -3;
const CALL_POINTS = 7;
const CORRECTNESS_POINTS = 6;

/** What a reward starts from: −3 where calls are asked for, else 0. */
export function rewardBase(capacities: RewardBreakdown['capacities']): number {
  return capacities.name === 0 ? 0 : CALL_BASE;
}

/**
 * Takes a reward apart (spec §1 and §2): format is worth 1 point, names, keys and values share 6 by how many there are in
 * the ground truth; weights move points between them within the same 7. Without a call in the ground truth format is all. The
 * points of all and {@link rewardBase} are the reward.
 *
 * @param scores sub-scores, 0 to 1.
 */
export function rewardParts(
  scores: PerSubTask,
  capacities: RewardBreakdown['capacities'],
  weights: PerSubTask,
): PerSubTask<RewardPart> {
  const counted = capacities.name + capacities.key + capacities.value;
  const shared = (capacity: number): number =>
    counted === 0 ? 0 : (CORRECTNESS_POINTS * capacity) / counted;
  const most: PerSubTask = {
    format: 1,
    name: shared(capacities.name),
    key: shared(capacities.key),
    value: shared(capacities.value),
  };
  const weighted = SUB_TASKS.reduce((sum, task) => sum + weights[task] * most[task], 0);
  // Without a call weights change nothing: format is worth its one point.
  const scale = counted === 0 ? 1 / weights.format : CALL_POINTS / weighted;
  const part = (task: keyof PerSubTask): RewardPart => ({
    score: scores[task],
    points: most[task] * scores[task],
    most: most[task],
    weightedPoints: scale * weights[task] * most[task] * scores[task],
  });
  return { format: part('format'), name: part('name'), key: part('key'), value: part('value') };
}
