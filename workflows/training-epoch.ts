import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { EpochKey, RunPlan } from '../contracts/activities.ts';
import { lightActivities } from './activity-options.ts';
import { evaluate } from './evaluation.ts';
import { followRun, type ControlState } from './run-control.ts';
import {
  VISIBLE_ROWS,
  evaluationTable,
  stepTable,
  visibleEvaluations,
  type EvaluationRow,
  type StepRow,
} from './step-table.ts';
import { trainingStep } from './training-step.ts';
import { publishSearchAttributes } from './visibility.ts';

export interface EpochInput extends EpochKey {
  readonly plan: RunPlan;
  readonly firstStep: number;
  readonly lastStep: number;
  readonly control: ControlState;
  /** What an earlier execution of the same epoch has done, when its history grew too long. */
  readonly steps?: readonly StepRow[];
  readonly evaluations?: readonly EvaluationRow[];
}

export interface EpochResult {
  /** The user asked for a stop; `lastStep` is committed. */
  readonly stopped: boolean;
  readonly lastStep: number;
  readonly control: ControlState;
  /** The last steps, at most {@link VISIBLE_ROWS}. */
  readonly steps: readonly StepRow[];
  readonly evaluations: readonly EvaluationRow[];
}

/** The steps of one epoch, from `firstStep` to `lastStep`, with the evaluations that fall due between. */
export async function trainingEpoch(input: EpochInput): Promise<EpochResult> {
  const { run, epoch, plan } = input;
  let steps = input.steps ?? [];
  let evaluations = input.evaluations ?? [];
  let committed = input.firstStep - 1;

  const control = followRun(input.control, () => ({
    phase: `epoch ${epoch} of ${plan.epochs}`,
    epoch,
    step: committed,
    totalSteps: plan.totalSteps,
  }));
  const recordPause = async (paused: boolean): Promise<void> => {
    const state = paused ? 'paused' : 'running';
    await lightActivities().recordOutcome.executeWithOptions({ summary: `record: ${state}` }, [
      { run, state, reason: paused ? `paused after step ${committed}` : '' },
    ]);
  };
  const publish = (): void => {
    const tables = [`**Epoch ${epoch} of ${plan.epochs}**`, stepTable(steps)];
    if (evaluations.length > 0) tables.push(evaluationTable(evaluations));
    setCurrentDetails(tables.join('\n\n'));
    publishSearchAttributes(plan, { run, epoch, reward: steps.at(-1)?.reward });
  };
  const result = (stopped: boolean): EpochResult => ({
    stopped,
    lastStep: committed,
    control: control.state,
    steps,
    evaluations,
  });

  publish();
  for (let step = input.firstStep; step <= input.lastStep; step++) {
    if ((await control.boundary(recordPause)) === 'stop') return result(true);
    steps = [...steps, await trainingStep({ run, epoch, step }, plan)].slice(-VISIBLE_ROWS);
    committed = step;
    if (plan.evaluateAt.includes(step)) {
      const splits = step === plan.totalSteps ? plan.splits : plan.splits.slice(0, 1);
      evaluations = visibleEvaluations([
        ...evaluations,
        ...(await evaluate({ run, epoch, step }, splits)),
      ]);
    }
    publish();
    if (step < input.lastStep && workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      return await continueAsNew<typeof trainingEpoch>({
        ...input,
        firstStep: step + 1,
        control: control.state,
        steps,
        evaluations,
      });
    }
  }
  return result(false);
}
