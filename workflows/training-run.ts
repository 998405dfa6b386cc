import {
  CancellationScope,
  ContinueAsNew,
  allHandlersFinished,
  condition,
  continueAsNew,
  patched,
  setCurrentDetails,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { WorkflowIdReusePolicy } from '@temporalio/common';
import type { RunPlan } from '../contracts/activities.ts';
import type { RunConfigInput } from '../contracts/config.ts';
import { splitsDue } from '../contracts/evaluation-plan.ts';
import { epochWorkflowId } from '../contracts/temporal.ts';
import { acceleratorActivities, lightActivities } from './activity-options.ts';
import { endOfRun, stoppedAfter } from './end-of-run.ts';
import { evaluate } from './evaluation.ts';
import { record } from './record-outcome.ts';
import { NO_REQUEST, pendingText, tell, type ControlState } from './run-control.ts';
import { listenForRequests } from './run-requests.ts';
import {
  evaluationTable,
  stepTable,
  withEvaluations,
  type EvaluationRow,
  type StepRow,
} from './step-table.ts';
import { trainingEpoch, type EpochResult } from './training-epoch.ts';
import { publishSearchAttributes } from './visibility.ts';

/** Where a run goes on after it continued as new; never given by a user. */
export interface RunCursor {
  readonly plan: RunPlan;
  readonly control: ControlState;
  readonly evaluations: readonly EvaluationRow[];
  /** Evaluations asked for that are done. Absent in histories of older versions: none. */
  readonly evaluated?: number;
  /** The slice with which the warm start goes on. Absent where it is over. */
  readonly slice?: number;
}

export interface RunResult {
  readonly run: string;
  readonly steps: number;
  readonly policySha256: string;
  readonly folder: string;
  readonly evaluations: readonly EvaluationRow[];
}

/**
 * A whole run: prepare, warm start, evaluate, epochs as children, export. Its id is the run's id.
 * Started again under the same id after a failure, a stop or a loss, it goes on after the last committed step.
 *
 * @param config - Any part of the configuration; the worker fills in the defaults. With a field `fork`
 *   ({@link import('../contracts/fork.ts').ForkAsked}): what a fork changes of its parent's.
 */
export async function trainingRun(
  config?: RunConfigInput | null,
  cursor?: RunCursor,
): Promise<RunResult> {
  const run = workflowInfo().workflowId;
  const work = new CancellationScope();
  const life: Life = { over: false, cancel: () => work.cancel() };
  try {
    const result = await work.run(async () => train(run, config ?? {}, cursor, life));
    await handlersFinished(life);
    return result;
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    const byServer = CancellationScope.current().consideredCancelled;
    const end = endOfRun(error, byServer ? 'server' : work.consideredCancelled ? 'update' : null);
    await CancellationScope.nonCancellable(() => record(run, end.state, end.reason)).catch(
      // The reason must reach the user even when Postgres is the reason.
      () => undefined,
    );
    await handlersFinished(life);
    throw end.failure;
  }
}

/** What the run and those who ask something of it have to know of each other. */
interface Life {
  over: boolean;
  readonly cancel: () => void;
}

/** Requests that were accepted get their answer before the workflow ends. */
async function handlersFinished(life: Life): Promise<void> {
  life.over = true;
  await CancellationScope.nonCancellable(async () => condition(allHandlersFinished));
}

async function train(
  run: string,
  config: RunConfigInput,
  cursor: RunCursor | undefined,
  life: Life,
): Promise<RunResult> {
  let plan = cursor?.plan;
  let phase = 'preparing';
  let epoch = 0;
  let step = plan?.committedStep ?? 0;
  let steps: readonly StepRow[] = [];
  let evaluations = cursor?.evaluations ?? [];
  let child: ChildWorkflowHandle<typeof trainingEpoch> | undefined;

  let ending = false;
  let asked = cursor?.control ?? NO_REQUEST;

  const show = (): void => {
    const parts = [`**${phase}**`, pendingText(asked)];
    if (evaluations.length > 0) parts.push(evaluationTable(evaluations));
    if (steps.length > 0) parts.push(stepTable(steps));
    setCurrentDetails(parts.filter((part) => part !== '').join('\n\n'));
  };
  const control = listenForRequests(asked, cursor?.evaluated ?? 0, {
    run,
    describe: () => ({ phase, epoch, step, totalSteps: plan?.totalSteps ?? 0 }),
    isKnown: () => plan !== undefined,
    life: () => (life.over ? 'over' : ending ? 'ending' : 'under-way'),
    forward: async (state) => tell(child, state),
    cancel: life.cancel,
    onChange: (state) => {
      asked = state;
      show();
    },
  });
  const enter = (text: string): void => {
    phase = text;
    show();
  };
  const evaluateOn = async (splits: readonly string[], known: RunPlan) => {
    const key = { run, epoch: epochOf(step, known.stepsPerEpoch), step };
    evaluations = withEvaluations(evaluations, await evaluate(key, splits, known));
  };
  const exportPolicy = async ({ stepsPerEpoch }: RunPlan, stopped: boolean) => {
    ending = true;
    enter('exporting the policy');
    return acceleratorActivities().exportPolicy.executeWithOptions(
      { summary: `export the policy of step ${step}` },
      [{ run, epoch: epochOf(step, stepsPerEpoch), step, ...(stopped ? { stopped } : {}) }],
    );
  };
  const stopHere = async (known: RunPlan): Promise<never> => {
    if (control.state.exporting === true) await exportPolicy(known, true);
    throw stoppedAfter(step);
  };
  const onPause = async (paused: boolean): Promise<void> =>
    record(run, paused ? 'paused' : 'running', paused ? `paused after step ${step}` : '');
  const goOnAsNew = async (known: RunPlan, slice?: number): Promise<never> => {
    await condition(allHandlersFinished);
    return continueAsNew<typeof trainingRun>(config, {
      plan: known,
      control: control.state,
      evaluations,
      evaluated: control.evaluated,
      ...(slice === undefined ? {} : { slice }),
    });
  };

  enter('preparing');
  plan ??= await lightActivities().prepareRun.executeWithOptions(
    { summary: 'prepare: configuration, policy and data', heartbeatTimeout: '1 minute' },
    [{ run, config }],
  );
  step = plan.committedStep;
  publishSearchAttributes(plan, { run, epoch });

  if (cursor === undefined || cursor.slice !== undefined) {
    for (let slice = cursor?.slice ?? firstSlice(plan); slice <= plan.warmStartSlices; slice++) {
      if ((await control.boundary({ onPause })) === 'stop') await stopHere(plan);
      const summary = `warm start: slice ${slice} of ${plan.warmStartSlices}`;
      enter(summary);
      await acceleratorActivities().warmStart.executeWithOptions({ summary }, [{ run, slice }]);
      if (workflowInfo().continueAsNewSuggested && patched('warm-starts-continue-as-new')) {
        await goOnAsNew(plan, slice + 1);
      }
    }
    enter('evaluating the policy before training');
    evaluations = await evaluate({ run, epoch: 0, step: 0 }, plan.splits, plan);
    // A crash may have come between a step's commit and the evaluation that was due after it.
    const due = step === 0 ? [] : splitsDue(step, plan);
    if (due.length > 0) await evaluateOn(due, plan);
  }

  const known = plan;
  const evaluateNow = async (): Promise<void> => evaluateOn(known.splits, known);
  while (step < plan.totalSteps) {
    const answer = await control.boundary({ onPause, evaluate: evaluateNow });
    if (answer === 'stop') await stopHere(plan);
    epoch = Math.floor(step / plan.stepsPerEpoch) + 1;
    const lastStep = Math.min(epoch * plan.stepsPerEpoch, plan.totalSteps);
    enter(`epoch ${epoch} of ${plan.epochs}`);
    const handedOver = control.state;
    child = await startChild(trainingEpoch, {
      workflowId: epochWorkflowId(run, epoch),
      // After a stop or a loss the same epoch is entered again; the committed steps decide, not the child's last outcome.
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `${plan.name}: epoch ${epoch} of ${plan.epochs}, steps ${step + 1} to ${lastStep}`,
      staticDetails: `Policy ${plan.policy} · sampler ${plan.sampler} · curriculum ${plan.curriculum}`,
      args: [
        {
          run,
          epoch,
          plan,
          firstStep: step + 1,
          lastStep,
          control: handedOver,
          evaluated: control.evaluated,
        },
      ],
    });
    // Requests that came while the child was being started have not reached it.
    if (control.state !== handedOver) await tell(child, control.state);
    const result: EpochResult = await child.result();
    child = undefined;
    step = result.lastStep;
    if (result.endsRun === true) plan = { ...plan, totalSteps: step };
    steps = result.steps;
    evaluations = withEvaluations(evaluations, result.evaluations);
    control.hasEvaluated(result.evaluated ?? 0);
    publishSearchAttributes(plan, { run, epoch, reward: steps.at(-1)?.reward });
    if (result.stopped) {
      if (control.state.stopping) await stopHere(plan);
      // Taken back since. A pause that the epoch left for it has not been recorded as over.
      if (patched('stops-that-are-taken-back-end-pauses')) await onPause(false);
    }
    if (step < plan.totalSteps && workflowInfo().continueAsNewSuggested) {
      await goOnAsNew({ ...plan, committedStep: step });
    }
  }

  await control.catchUp(evaluateNow);
  const exported = await exportPolicy(plan, false);
  enter('completed');
  return { run, steps: step, ...exported, evaluations };
}

/** The first slice of the warm start that is not committed yet. */
function firstSlice({ committedSlices = 0 }: RunPlan): number {
  // Executions that an older version began went through all of them.
  return committedSlices > 0 && patched('committed-slices-are-left-out') ? committedSlices + 1 : 1;
}

/** Epoch to which a step belongs; 0 for the policy before training. */
function epochOf(step: number, stepsPerEpoch: number): number {
  return step === 0 ? 0 : Math.ceil(step / stepsPerEpoch);
}
