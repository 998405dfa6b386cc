import { UNIT_WEIGHTS } from '../contracts/curriculum.ts';
import type { CurriculumState } from '../contracts/curriculum.ts';
import { SUB_TASKS } from '../contracts/reward.ts';
import type { PerSubTask, SubTask } from '../contracts/reward.ts';
import type { CurriculumName } from '../contracts/sampling.ts';
import { nextMastery } from './mastery.ts';
import type { Evidence } from './mastery.ts';

const MIN_WEIGHT = 0.5;
const MAX_WEIGHT = 2;
/** Share of the target in a new weight. */
const SMOOTHING = 0.1;
/** A sub-task opens up around this mastery of those before it, this gradually. */
const GATE_CENTRE = 0.5;
const GATE_WIDTH = 0.1;
/** Less demand than this in all: everything is mastered. */
const NO_DEMAND = 1e-6;

export interface CurriculumOptions {
  readonly curriculum: CurriculumName;
  /** Rate of mastery's moving average. */
  readonly masteryRate: number;
}

/**
 * The curriculum of the next step from this one's rollouts. `none` tracks mastery, too, and leaves the weights at 1.
 * [paper: the idea; ours: the formulas]
 */
export function nextCurriculum(
  state: CurriculumState,
  evidence: Evidence,
  { curriculum, masteryRate }: CurriculumOptions,
): CurriculumState {
  const mastery = nextMastery(state.mastery, evidence, masteryRate);
  return {
    version: state.version + 1,
    mastery,
    weights: curriculum === 'none' ? UNIT_WEIGHTS : nextWeights(state.weights, mastery),
  };
}

/**
 * How much there is to learn in a sub-task, now: d_t = (1 − p_t)·Π σ((p_u − 0.5)/0.1) over the sub-tasks u before t. What
 * never had evidence counts as not mastered.
 */
export function demand(mastery: CurriculumState['mastery']): PerSubTask {
  const result = { format: 0, name: 0, key: 0, value: 0 };
  let gate = 1;
  for (const task of SUB_TASKS) {
    const p = mastery[task] ?? 0;
    result[task] = (1 - p) * gate;
    gate *= 1 / (1 + Math.exp(-(p - GATE_CENTRE) / GATE_WIDTH));
  }
  return result;
}

/** Where the weights go: w* = 0.5 + 0.5·4·d_t/Σd, mean 1; all 1 when Σd < 1e−6. */
export function targetWeights(mastery: CurriculumState['mastery']): PerSubTask {
  const demands = demand(mastery);
  const sum = SUB_TASKS.reduce((total, task) => total + demands[task], 0);
  if (sum < NO_DEMAND) return UNIT_WEIGHTS;
  const spread = (1 - MIN_WEIGHT) * SUB_TASKS.length;
  return perSubTask((task) => MIN_WEIGHT + (spread * demands[task]) / sum);
}

function nextWeights(weights: PerSubTask, mastery: CurriculumState['mastery']): PerSubTask {
  const target = targetWeights(mastery);
  return withMeanOne(
    perSubTask((task) => (1 - SMOOTHING) * weights[task] + SMOOTHING * target[task]),
  );
}

/**
 * Clips to [0.5, 2] and scales back to mean 1. Only weights below the upper limit are scaled: scaling all would push the
 * clipped one over it again. (At most one can be clipped: each is at least 0.5 and they sum to 4.)
 */
function withMeanOne(weights: PerSubTask): PerSubTask {
  const clipped = perSubTask((task) => Math.min(MAX_WEIGHT, Math.max(MIN_WEIGHT, weights[task])));
  const tasks = SUB_TASKS.filter((task) => clipped[task] < MAX_WEIGHT);
  const fixed = MAX_WEIGHT * (SUB_TASKS.length - tasks.length);
  const free = tasks.reduce((sum, task) => sum + clipped[task], 0);
  const scale = (SUB_TASKS.length - fixed) / free;
  return perSubTask((task) => (clipped[task] < MAX_WEIGHT ? clipped[task] * scale : MAX_WEIGHT));
}

function perSubTask(value: (task: SubTask) => number): PerSubTask {
  return {
    format: value('format'),
    name: value('name'),
    key: value('key'),
    value: value('value'),
  };
}
