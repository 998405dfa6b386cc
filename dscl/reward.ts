import type { PerSubTask, RewardBreakdown, ValueMatch } from '../contracts/reward.ts';
import { bfclRule } from './bfcl-values.ts';
import { fitCalls } from './call-matching.ts';
import type { CallFit, WantedCall } from './call-matching.ts';
import { hasFormat, readCallList } from './completion.ts';
import { groundTruthCalls } from './ground-truth.ts';
import type { GroundTruth, GroundTruthCall } from './ground-truth.ts';
import { toolrlRule } from './parameter-rule.ts';
import { pythonEquals } from './python-value.ts';
import type { PythonValue } from './python-value.ts';

/** Correctness ranges over [−3, 3], format adds 0 or 1. [ToolRL] */
const CORRECTNESS_MIN = -3;
const CORRECTNESS_RANGE = 6;
const REWARD_RANGE = 7;
const NO_TRIAL = { successes: 0, trials: 0 };

export interface ScoreInput {
  /** The completion's text, special tokens left out. Untrusted: it is read, never evaluated. */
  readonly completion: string;
  readonly groundTruth: GroundTruth;
  readonly valueMatch: ValueMatch;
}

/**
 * Takes one completion's reward apart: R = R_format + 6·(R_name + R_key + R_value)/S_max − 3 with
 * S_max = 1 + Σ(1 + |K_i|), or R = R_format for a ground truth without a call. [ToolRL, paper]
 *
 * Never throws on model output, whatever it is: what cannot be read scores the minimum for correctness.
 *
 * @throws ToolsampleError `dataset` when the *ground truth* is nested beyond reason.
 */
export function scoreCompletion(input: ScoreInput): RewardBreakdown {
  const { completion, groundTruth, valueMatch } = input;
  const format = hasFormat(completion, groundTruth.shape) ? 1 : 0;
  const formatTally = { successes: format, trials: 1 };
  const calls = groundTruthCalls(groundTruth);
  if (calls.length === 0) {
    return {
      scores: { format, name: 0, key: 0, value: 0 },
      capacities: { name: 0, key: 0, value: 0 },
      reward: format,
      min: 0,
      max: 1,
      parseable: true,
      exactMatch: format === 1,
      conditional: { format: formatTally, name: NO_TRIAL, key: NO_TRIAL, value: NO_TRIAL },
    };
  }

  const wanted = wantedCalls(groundTruth, calls, valueMatch);
  const capacities = capacitiesOf(wanted);
  const predicted = readCallList(completion);
  const fit =
    predicted === undefined
      ? undefined
      : valueMatch === 'toolrl' && isSameList(calls, predicted)
        ? perfectFit(capacities)
        : fitCalls(wanted, predicted);
  const reached = fit === undefined ? 0 : fit.name + fit.key + fit.value;
  const possible = capacities.name + capacities.key + capacities.value;
  return {
    scores: { format, ...normalise(fit, capacities) },
    capacities,
    reward: format + (CORRECTNESS_RANGE * reached) / possible + CORRECTNESS_MIN,
    min: CORRECTNESS_MIN,
    max: CORRECTNESS_MIN + REWARD_RANGE,
    parseable: fit !== undefined,
    exactMatch: format === 1 && reached === possible,
    conditional: {
      format: formatTally,
      name: fit?.names ?? NO_TRIAL,
      key: fit?.keys ?? NO_TRIAL,
      value: fit?.values ?? NO_TRIAL,
    },
  };
}

/** The calls of a ground truth with what each asks of its parameters. */
export function wantedCalls(
  { allowedValues }: Pick<GroundTruth, 'allowedValues'>,
  calls: readonly GroundTruthCall[],
  valueMatch: ValueMatch,
): WantedCall[] {
  return calls.map(({ name, parameters }, i) => ({
    name,
    rule: valueMatch === 'bfcl' ? bfclRule(parameters, allowedValues?.[i]) : toolrlRule(parameters),
  }));
}

/**
 * The capacities of a ground truth; all 0 where no call is wanted.
 *
 * @throws ToolsampleError `dataset` when it is nested beyond reason.
 */
export function callCapacities(
  groundTruth: GroundTruth,
  valueMatch: ValueMatch,
): RewardBreakdown['capacities'] {
  return capacitiesOf(wantedCalls(groundTruth, groundTruthCalls(groundTruth), valueMatch));
}

function capacitiesOf(wanted: readonly WantedCall[]): RewardBreakdown['capacities'] {
  return wanted.length === 0
    ? { name: 0, key: 0, value: 0 }
    : {
        name: 1,
        key: wanted.length,
        value: wanted.reduce((sum, { rule }) => sum + rule.keys.size, 0),
      };
}

/** ToolRL gives equal lists the maximum before it looks at anything else (it matters for NaN). */
function isSameList(calls: readonly GroundTruthCall[], predicted: readonly PythonValue[]): boolean {
  return pythonEquals(
    calls.map((call) => call.whole),
    predicted,
  );
}

function perfectFit(capacities: RewardBreakdown['capacities']): CallFit {
  const names = { successes: capacities.key, trials: capacities.key };
  const parameters = { successes: capacities.value, trials: capacities.value };
  const pairs = Array.from({ length: capacities.key }, (_, i) => ({ wanted: i, given: i }));
  return { ...capacities, names, keys: parameters, values: parameters, pairs };
}

/** Raw scores by what they can reach. Where there is no value to reach, values count as met as far as the keys are. */
function normalise(fit: CallFit | undefined, capacities: RewardBreakdown['capacities']) {
  if (fit === undefined) return { name: 0, key: 0, value: 0 };
  const key = fit.key / capacities.key;
  return {
    name: fit.name,
    key,
    value: capacities.value === 0 ? key : fit.value / capacities.value,
  };
}

/**
 * The reward under a curriculum: R_w = −3 + 7·(w_f·s_f + 6·Σ w_t·ĉ_t·s_t)/(w_f + 6·Σ w_t·ĉ_t), ĉ_t = c_t/Σc. [ours]
 *
 * Equal weights give `reward` itself, bit for bit; any positive weights stay in [min, max]. A ground truth without a call
 * keeps R = s_f.
 */
export function weightedReward(
  breakdown: Pick<RewardBreakdown, 'scores' | 'capacities' | 'reward'>,
  weights: PerSubTask,
): number {
  const { scores, capacities, reward } = breakdown;
  const capacity = capacities.name + capacities.key + capacities.value;
  const isNeutral =
    weights.name === weights.format &&
    weights.key === weights.format &&
    weights.value === weights.format;
  if (capacity === 0 || isNeutral) return reward;
  let reached = weights.format * scores.format;
  let possible = weights.format;
  for (const task of ['name', 'key', 'value'] as const) {
    const share = (CORRECTNESS_RANGE * weights[task] * capacities[task]) / capacity;
    reached += share * scores[task];
    possible += share;
  }
  // Divided first: the quotient never exceeds 1, so rounding cannot carry the reward beyond its range.
  return CORRECTNESS_MIN + REWARD_RANGE * (reached / possible);
}
