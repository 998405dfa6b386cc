import {
  CancellationScope,
  ContinueAsNew,
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { WorkflowIdReusePolicy } from '@temporalio/common';
import type { RunPlan } from '../contracts/activities.ts';
import type { RunConfigInput } from '../contracts/config.ts';
import { epochWorkflowId } from '../contracts/temporal.ts';
import { acceleratorActivities, lightActivities } from './activity-options.ts';
import { endOfRun, stoppedAfter } from './end-of-run.ts';
import { evaluate } from './evaluation.ts';
import { NO_REQUEST, controlSignal, listenForRequests, type ControlState } from './run-control.ts';
import {
  evaluationTable,
  stepTable,
  visibleEvaluations,
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
 * @param config - Any part of the configuration; the worker fills in the defaults.
 */
export async function trainingRun(
  config?: RunConfigInput | null,
  cursor?: RunCursor,
): Promise<RunResult> {
  const run = workflowInfo().workflowId;
  try {
    return await train(run, config ?? {}, cursor);
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    const end = endOfRun(error, CancellationScope.current().consideredCancelled);
    await CancellationScope.nonCancellable(() => record(run, end.state, end.reason)).catch(
      // The reason must reach the user even when Postgres is the reason.
      () => undefined,
    );
    throw end.failure;
  }
}

async function train(
  run: string,
  config: RunConfigInput,
  cursor: RunCursor | undefined,
): Promise<RunResult> {
  let plan = cursor?.plan;
  let phase = 'preparing';
  let epoch = 0;
  let step = plan?.committedStep ?? 0;
  let steps: readonly StepRow[] = [];
  let evaluations = cursor?.evaluations ?? [];
  let child: ChildWorkflowHandle<typeof trainingEpoch> | undefined;

  const control = listenForRequests(
    cursor?.control ?? NO_REQUEST,
    () => ({ phase, epoch, step, totalSteps: plan?.totalSteps ?? 0 }),
    async (state) => tell(child, state),
  );
  const atBoundary = async (): Promise<void> => {
    const answer = await control.boundary(async (paused) =>
      record(run, paused ? 'paused' : 'running', paused ? `paused after step ${step}` : ''),
    );
    if (answer === 'stop') throw stoppedAfter(step);
  };
  const enter = (text: string): void => {
    phase = text;
    const parts = [`**${text}**`];
    if (evaluations.length > 0) parts.push(evaluationTable(evaluations));
    if (steps.length > 0) parts.push(stepTable(steps));
    setCurrentDetails(parts.join('\n\n'));
  };

  enter('preparing');
  plan ??= await lightActivities().prepareRun.executeWithOptions(
    { summary: 'prepare: configuration, policy and data', heartbeatTimeout: '1 minute' },
    [{ run, config }],
  );
  step = plan.committedStep;
  publishSearchAttributes(plan, { run, epoch });

  if (cursor === undefined) {
    for (let slice = 1; slice <= plan.warmStartSlices; slice++) {
      await atBoundary();
      const summary = `warm start: slice ${slice} of ${plan.warmStartSlices}`;
      enter(summary);
      await acceleratorActivities().warmStart.executeWithOptions({ summary }, [{ run, slice }]);
    }
    enter('evaluating the policy before training');
    evaluations = await evaluate({ run, epoch: 0, step: 0 }, plan.splits);
    // A crash may have come between a step's commit and the evaluation that was due after it.
    if (step > 0 && plan.evaluateAt.includes(step)) {
      const splits = step === plan.totalSteps ? plan.splits : plan.splits.slice(0, 1);
      const due = { run, epoch: epochOf(step, plan), step };
      evaluations = visibleEvaluations([...evaluations, ...(await evaluate(due, splits))]);
    }
  }

  while (step < plan.totalSteps) {
    await atBoundary();
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
      args: [{ run, epoch, plan, firstStep: step + 1, lastStep, control: handedOver }],
    });
    // Requests that came while the child was being started have not reached it.
    if (control.state !== handedOver) await tell(child, control.state);
    const result: EpochResult = await child.result();
    child = undefined;
    step = result.lastStep;
    steps = result.steps;
    evaluations = visibleEvaluations([...evaluations, ...result.evaluations]);
    publishSearchAttributes(plan, { run, epoch, reward: steps.at(-1)?.reward });
    if (result.stopped && control.state.stopping) throw stoppedAfter(step);
    if (step < plan.totalSteps && workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof trainingRun>(config, {
        plan: { ...plan, committedStep: step },
        control: control.state,
        evaluations,
      });
    }
  }

  enter('exporting the policy');
  const exported = await acceleratorActivities().exportPolicy.executeWithOptions(
    { summary: `export the policy of step ${step}` },
    [{ run, epoch: epochOf(step, plan), step }],
  );
  enter('completed');
  return { run, steps: step, ...exported, evaluations };
}

/** Epoch to which a step belongs; 0 for the policy before training. */
function epochOf(step: number, { stepsPerEpoch }: RunPlan): number {
  return step === 0 ? 0 : Math.ceil(step / stepsPerEpoch);
}

/** A child that ends at this very moment is no error: the state reaches the next one as its input. */
async function tell(
  child: ChildWorkflowHandle<typeof trainingEpoch> | undefined,
  state: ControlState,
): Promise<void> {
  await child?.signal(controlSignal, state).catch(() => undefined);
}

async function record(
  run: string,
  state: 'failed' | 'stopped' | 'paused' | 'running',
  reason: string,
): Promise<void> {
  await lightActivities().recordOutcome.executeWithOptions({ summary: `record: ${state}` }, [
    { run, state, reason },
  ]);
}
