import { isDeepStrictEqual } from 'node:util';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { ExperimentPlan } from '../../contracts/experiment.ts';
import { configOfRun } from './plan.ts';

/**
 * Whether a plan adds arms or seeds to those that an experiment has. Its runs stay as they are: nothing but their number, and how many are
 * under way at a time, can change.
 *
 * @returns false when both have the same runs
 * @throws ToolsampleError `config` when a run that the experiment has is not among those planned, or would be another one
 */
export function addsRuns(
  experiment: string,
  known: ExperimentPlan,
  planned: ExperimentPlan,
): boolean {
  const among = new Set(planned.runs.map(({ run }) => run));
  const lost = known.runs.find(
    ({ run }) =>
      !among.has(run) || !isDeepStrictEqual(configOfRun(known, run), configOfRun(planned, run)),
  );
  if (lost === undefined) return planned.runs.length > known.runs.length;
  throw new ToolsampleError(
    'config',
    `experiment "${experiment}" compares something else: its run "${lost.run}" is not what is asked for`,
    {
      hint: 'choose another name, ask for the same with more samplers, curricula or seeds, or give the name alone to go on',
    },
  );
}
