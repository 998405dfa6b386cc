import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { tooManyEvaluations } from '../services/configuration/planned-evaluations.ts';

export interface RunSchedule {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  /** Steps after which the policy is evaluated, the last one included; ascending. */
  readonly evaluateAt: readonly number[];
}

/** Halvings of a run shorter than this are not worth an evaluation. */
const SHORTEST_HALVING = 3;

/**
 * How long a run is. An epoch has as many steps as it takes to draw as many groups as the corpus has samples;
 * `maxSteps` overrides the number of epochs, as in TRL.
 *
 * @throws ToolsampleError `config` when there would be more evaluations than a run can plan
 */
export function runSchedule(
  config: Pick<RunConfig, 'trainBatchSize' | 'numTrainEpochs' | 'maxSteps' | 'evalSchedule'>,
  corpusSamples: number,
): RunSchedule {
  const stepsPerEpoch = Math.ceil(corpusSamples / config.trainBatchSize);
  const totalSteps =
    config.maxSteps >= 0 ? config.maxSteps : Math.ceil(config.numTrainEpochs * stepsPerEpoch);
  return {
    epochs: Math.ceil(totalSteps / stepsPerEpoch),
    stepsPerEpoch,
    totalSteps,
    evaluateAt: evaluationSteps(config.evalSchedule, stepsPerEpoch, totalSteps),
  };
}

function evaluationSteps(
  schedule: RunConfig['evalSchedule'],
  stepsPerEpoch: number,
  totalSteps: number,
): number[] {
  if (schedule === 'none') return [totalSteps];
  if (schedule === 'halving') return halvings(totalSteps);
  const every = schedule === 'epoch' ? stepsPerEpoch : schedule;
  const length = Math.floor(totalSteps / every);
  const many = tooManyEvaluations(length);
  if (many !== null) {
    throw new ToolsampleError('config', many.problem, {
      at: { field: 'eval_schedule' },
      hint: many.hint,
    });
  }
  const regular = Array.from({ length }, (_, i) => (i + 1) * every);
  return regular.at(-1) === totalSteps ? regular : [...regular, totalSteps];
}

/** E.g. 48 → 3, 6, 12, 24, 48: a curve that is even over a logarithmic axis, where most of the gain is early. */
function halvings(totalSteps: number): number[] {
  const steps = [totalSteps];
  for (let part = 2; Math.ceil(totalSteps / part) >= SHORTEST_HALVING; part *= 2) {
    steps.unshift(Math.ceil(totalSteps / part));
  }
  return steps;
}
