import {
  ApplicationFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  patched,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError, WorkflowIdReusePolicy } from '@temporalio/common';
import type {
  ExperimentAsked,
  ExperimentOutcome,
  PreparedExperiment,
} from '../contracts/experiment.ts';
import { lightActivities } from './activity-options.ts';
import { endOfRun } from './end-of-run.ts';
import { trainingRun } from './training-run.ts';

export interface ExperimentEnd {
  readonly experiment: string;
  /** Completed, in this execution or before. */
  readonly runs: number;
}

type Planned = PreparedExperiment['runs'][number];

const OUTCOMES = ['completed', 'under way', 'waiting', 'failed'] as const;
type Outcome = (typeof OUTCOMES)[number];

/**
 * Many runs that are compared: every arm with every seed, each a child workflow `trainingRun`, so many at a time as was asked. Its id is
 * the experiment's id. Started again under the same id after a failure, a stop or a loss, it goes on with what has not completed.
 * A run that fails does not keep the others from being made.
 *
 * @param asked - What is compared, any part of {@link ExperimentAsked} but `tokens`, which has no default.
 */
export async function experiment(asked?: Partial<ExperimentAsked> | null): Promise<ExperimentEnd> {
  const id = workflowInfo().workflowId;
  try {
    const prepared = await lightActivities().prepareExperiment.executeWithOptions(
      { summary: 'prepare: arms, seeds and runs' },
      [{ experiment: id, asked: asked ?? {} }],
    );
    await makeRuns(prepared);
    await record(id, 'completed', '');
    return { experiment: id, runs: prepared.runs.length };
  } catch (error) {
    const cancelled = CancellationScope.current().consideredCancelled;
    const end = endOfRun(error, cancelled ? 'server' : null);
    await CancellationScope.nonCancellable(() => record(id, end.state, end.reason)).catch(
      // The reason must reach the user even when Postgres is the reason.
      () => undefined,
    );
    throw end.failure;
  }
}

/** @throws ApplicationFailure when runs failed, after all others have been made */
async function makeRuns(prepared: PreparedExperiment): Promise<void> {
  const { runs, parallel } = prepared;
  const waiting = runs.filter(({ completed }) => !completed);
  const outcomes = new Map<string, Outcome>(
    runs.filter(({ completed }) => completed).map(({ run }) => [run, 'completed']),
  );
  const tell = (run: string, outcome: Outcome): void => {
    outcomes.set(run, outcome);
    setCurrentDetails(armTable(prepared, outcomes));
  };
  const failures: string[] = [];
  const makeOneAfterAnother = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      tell(next.run, 'under way');
      const failure = await makeRun(next, prepared);
      tell(next.run, failure === null ? 'completed' : 'failed');
      if (failure !== null) failures.push(`${next.run}: ${failure}`);
    }
  };
  // All of them: runs that are being cancelled have to record that they were.
  const lanes = await Promise.allSettled(Array.from({ length: parallel }, makeOneAfterAnother));
  for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
  const [first] = failures;
  if (first === undefined) return;
  throw ApplicationFailure.nonRetryable(
    `${failures.length} of ${runs.length} runs did not complete: ${first}`,
    'IncompleteExperiment',
  );
}

/** Null when the run completed, else why it did not. @throws CancelledFailure when the experiment is cancelled */
async function makeRun(
  { run, arm, seed }: Planned,
  { base, arms, runs }: PreparedExperiment,
): Promise<string | null> {
  const settings = arms.find((each) => each.arm === arm)?.settings ?? {};
  const place = runs.findIndex((each) => each.run === run) + 1;
  try {
    await executeChild(trainingRun, {
      workflowId: run,
      // A run that failed or was stopped goes on; one that completed meanwhile finds that it has.
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `run ${place} of ${runs.length}: ${arm}, seed ${seed}`,
      args: [{ ...base, ...settings, seed }],
    });
    return null;
  } catch (error) {
    if (isCancellation(error) && !cancelledByItself()) throw error;
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      return 'it is under way by itself; once it has ended, the same command goes on';
    return endOfRun(error, null).reason;
  }
}

/** Of a run that was cancelled: whether it alone was, and not the experiment. */
function cancelledByItself(): boolean {
  return (
    !CancellationScope.current().consideredCancelled &&
    // An older version began nothing after it.
    patched('runs-are-cancelled-by-themselves')
  );
}

/** How many runs of each arm stand where: short, however many runs there are. */
function armTable(
  { arms, runs }: PreparedExperiment,
  outcomes: ReadonlyMap<string, Outcome>,
): string {
  const lines = arms.map(({ arm }) => {
    const own = runs.filter((run) => run.arm === arm);
    const counted = OUTCOMES.map(
      (outcome) => own.filter(({ run }) => (outcomes.get(run) ?? 'waiting') === outcome).length,
    );
    return `| ${[arm, ...counted].join(' | ')} |`;
  });
  return [`| arm | ${OUTCOMES.join(' | ')} |`, '|---|--:|--:|--:|--:|', ...lines].join('\n');
}

async function record(id: string, state: ExperimentOutcome, reason: string): Promise<void> {
  await lightActivities().recordExperiment.executeWithOptions({ summary: `record: ${state}` }, [
    { experiment: id, state, reason },
  ]);
}
