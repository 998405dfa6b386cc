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
import { followRun, pendingText, type ControlState } from './run-control.ts';
import {
  VISIBLE_ROWS,
  evaluationTable,
  stepTable,
  withEvaluations,
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
  /** Evaluations asked for that are done. Absent in histories of older versions: none. */
  readonly evaluated?: number;
  /** What an earlier execution of the same epoch has done, when its history grew too long. */
  readonly steps?: readonly StepRow[];
  readonly evaluations?: readonly EvaluationRow[];
}

export interface EpochResult {
  /** The user asked for a stop; `lastStep` is committed. */
  readonly stopped: boolean;
  readonly lastStep: number;
  /** The budget of tokens is spent: `lastStep` is the run's last one. */
  readonly endsRun?: boolean;
  readonly control: ControlState;
  /** Evaluations asked for that are done. Absent in histories of older versions. */
  readonly evaluated?: number;
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
  let asked = input.control;

  const show = (): void => {
    const parts = [`**Epoch ${epoch} of ${plan.epochs}**`, pendingText(asked)];
    parts.push(stepTable(steps));
    if (evaluations.length > 0) parts.push(evaluationTable(evaluations));
    setCurrentDetails(parts.filter((part) => part !== '').join('\n\n'));
  };
  const control = followRun(
    input.control,
    input.evaluated ?? 0,
    () => ({
      phase: `epoch ${epoch} of ${plan.epochs}`,
      epoch,
      step: committed,
      totalSteps: plan.totalSteps,
    }),
    (state) => {
      asked = state;
      show();
    },
  );
  const recordPause = async (paused: boolean): Promise<void> => {
    const state = paused ? 'paused' : 'running';
    await lightActivities().recordOutcome.executeWithOptions({ summary: `record: ${state}` }, [
      { run, state, reason: paused ? `paused after step ${committed}` : '' },
    ]);
  };
  const evaluateOn = async (splits: readonly string[]): Promise<void> => {
    const key = { run, epoch: Math.ceil(committed / plan.stepsPerEpoch), step: committed };
    evaluations = withEvaluations(evaluations, await evaluate(key, splits, plan));
  };
  const atBoundary = {
    onPause: recordPause,
    evaluate: async (): Promise<void> => {
      await evaluateOn(plan.splits);
      show();
    },
  };
  const publish = (): void => {
    show();
    publishSearchAttributes(plan, { run, epoch, reward: steps.at(-1)?.reward });
  };
  const result = (stopped: boolean): EpochResult => ({
    stopped,
    lastStep: committed,
    control: control.state,
    evaluated: control.evaluated,
    steps,
    evaluations,
  });

  publish();
  for (let step = input.firstStep; step <= input.lastStep; step++) {
    if ((await control.boundary(atBoundary)) === 'stop') return result(true);
    const finished = await trainingStep({ run, epoch, step }, plan);
    steps = [...steps, finished.row].slice(-VISIBLE_ROWS);
    committed = step;
    if (finished.evaluate.length > 0) await evaluateOn(finished.evaluate);
    publish();
    if (finished.endsRun) return { ...result(false), endsRun: true };
    if (step < input.lastStep && workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      return await continueAsNew<typeof trainingEpoch>({
        ...input,
        firstStep: step + 1,
        control: control.state,
        evaluated: control.evaluated,
        steps,
        evaluations,
      });
    }
  }
  return result(false);
}
