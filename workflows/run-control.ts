import {
  condition,
  defineQuery,
  defineSignal,
  setHandler,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { Workflow } from '@temporalio/common';
import { PROGRESS_QUERY, type RunProgress } from '../contracts/temporal.ts';

/** What the user asked of the run. Travels to the child and through continue-as-new. */
export interface ControlState {
  readonly paused: boolean;
  readonly stopping: boolean;
  /** Counts requests: signals from one workflow to another may overtake each other. */
  readonly revision: number;
  /** The stop leaves the policy behind, exported. */
  readonly exporting?: boolean;
  /** Evaluations that were asked for so far. */
  readonly evaluations?: number;
}

export const NO_REQUEST: ControlState = { paused: false, stopping: false, revision: 0 };

/** What a workflow does between two pieces of work when it is asked to. */
export interface AtBoundary {
  /** Called with true when waiting begins, with false when it ends. */
  readonly onPause: (paused: boolean) => Promise<void>;
  /** Evaluates the policy as it stands. Absent where there is none to evaluate yet: later boundaries catch up. */
  readonly evaluate?: () => Promise<void>;
}

export interface RunControl {
  readonly state: ControlState;
  /** Evaluations that were asked for and have been done. */
  readonly evaluated: number;
  /** Takes over what a child has done. */
  hasEvaluated(evaluated: number): void;
  /** Evaluates if that was asked for. */
  catchUp(evaluate: () => Promise<void>): Promise<void>;
  /**
   * To be awaited between two pieces of work: returns at once, or when what was asked for is done and the pause ends.
   *
   * @returns Whether the work has to stop here.
   */
  boundary(at: AtBoundary): Promise<'go-on' | 'stop'>;
}

const progress = defineQuery<RunProgress>(PROGRESS_QUERY);

/** From the run to its epoch: what is asked for now. */
const controlSignal = defineSignal<[ControlState]>('control');

/** Tells an epoch, if there is one. A child that ends at this very moment is no error: the state reaches the next one as its input. */
export async function tell(
  child: Pick<ChildWorkflowHandle<Workflow>, 'signal'> | undefined,
  state: ControlState,
): Promise<void> {
  await child?.signal(controlSignal, state).catch(() => undefined);
}

export type Describe = () => Omit<RunProgress, 'paused' | 'stopping'>;

/**
 * The epoch's side: follows what the run tells it, and answers `progress`.
 *
 * @param onChange - Called after each change, the first ones before this returns; must not schedule anything.
 */
export function followRun(
  initial: ControlState,
  evaluated: number,
  describe: Describe,
  onChange: (state: ControlState) => void,
): RunControl {
  let state = initial;
  setHandler(controlSignal, (next) => {
    if (next.revision <= state.revision) return;
    state = next;
    onChange(state);
  });
  return runControl(() => state, evaluated, describe);
}

/** What was asked for and is not done, for people; empty when there is nothing. */
export function pendingText({ paused, stopping }: ControlState): string {
  if (stopping) return 'Stopping after the piece of work under way.';
  return paused ? 'Paused, or about to be after the piece of work under way.' : '';
}

/** Waits, evaluates and stops as a state that others change says; answers `progress`. */
export function runControl(
  current: () => ControlState,
  alreadyEvaluated: number,
  describe: Describe,
): RunControl {
  let evaluated = alreadyEvaluated;
  const asked = (): number => current().evaluations ?? 0;
  const waits = (): boolean => current().paused && !current().stopping;
  setHandler(progress, () => {
    const { paused, stopping } = current();
    return { ...describe(), paused, stopping };
  });
  const catchUp = async (evaluate: () => Promise<void>): Promise<void> => {
    while (asked() > evaluated) {
      const upTo = asked();
      await evaluate();
      evaluated = upTo;
    }
  };
  return {
    get state() {
      return current();
    },
    get evaluated() {
      return evaluated;
    },
    hasEvaluated(upTo) {
      evaluated = Math.max(evaluated, upTo);
    },
    catchUp,
    async boundary({ onPause, evaluate }) {
      if (evaluate !== undefined) await catchUp(evaluate);
      if (waits()) {
        await onPause(true);
        while (waits()) {
          await condition(() => !waits() || (evaluate !== undefined && asked() > evaluated));
          if (evaluate !== undefined) await catchUp(evaluate);
        }
        if (!current().stopping) await onPause(false);
      }
      return current().stopping ? 'stop' : 'go-on';
    },
  };
}
