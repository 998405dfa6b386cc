import { isDeepStrictEqual } from 'node:util';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { ExperimentAsked, ExperimentPlan } from '../../contracts/experiment.ts';
import { configOfRun, planExperiment } from './plan.ts';

export interface PlannedGrowth {
  readonly plan: ExperimentPlan;
  /** Whether it adds arms or seeds to those that the experiment has. */
  readonly grows: boolean;
}

/**
 * Spells out what is asked of an experiment that there may be already. The runs that it has stay as they are: nothing but their number, and
 * how many are under way at a time, can change.
 *
 * @param known - What it compares so far; null where there is none.
 * @param wanted - Not checked yet.
 * @throws ToolsampleError `config` for what is wrong with what is asked, or when a run that the experiment has is not among those
 *   planned, or would be another one
 */
export function planGrowth(
  experiment: string,
  known: ExperimentAsked | null,
  wanted: unknown,
): PlannedGrowth {
  const whole = planExperiment(experiment, wanted);
  if (known === null) return { plan: whole, grows: false };
  const { asked, notes } = keepingArms(known, whole.asked);
  const kept = planExperiment(experiment, asked);
  const plan = { ...kept, notes: [...notes, ...kept.notes] };
  return { plan, grows: addsRuns(experiment, planExperiment(experiment, known), plan) };
}

/** The same, said such that what is added takes no place of an arm that there is. */
function keepingArms(
  known: ExperimentAsked,
  wanted: ExperimentAsked,
): { readonly asked: ExperimentAsked; readonly notes: readonly string[] } {
  let { curricula, samplers } = wanted;
  // DSCL without a part has the last of the curricula.
  const last = known.curricula.at(-1);
  if (
    last !== undefined &&
    curricula.includes(last) &&
    known.without.some((part) => part !== 'curriculum')
  )
    curricula = [...curricula.filter((each) => each !== last), last];
  // With a fixed batch the two are the same, and of both only uniform would be run.
  const isDapo =
    wanted.protocol === 'fixed-batch' &&
    samplers.includes('dapo') &&
    known.samplers.includes('dapo') &&
    !known.samplers.includes('uniform');
  if (isDapo) samplers = samplers.filter((each) => each !== 'uniform');
  const notes =
    samplers.length === wanted.samplers.length
      ? []
      : ['uniform is not run: with a fixed batch, dapo is the same, and has its runs'];
  return { asked: { ...wanted, curricula, samplers }, notes };
}

function addsRuns(experiment: string, known: ExperimentPlan, planned: ExperimentPlan): boolean {
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
