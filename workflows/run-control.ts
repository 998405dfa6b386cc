import { condition, defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import { PROGRESS_QUERY, RUN_SIGNALS, type RunProgress } from '../contracts/temporal.ts';

/** What the user asked of the run. Travels to the child and through continue-as-new. */
export interface ControlState {
  readonly paused: boolean;
  readonly stopping: boolean;
  /** Counts requests: signals from one workflow to another may overtake each other. */
  readonly revision: number;
}

export const NO_REQUEST: ControlState = { paused: false, stopping: false, revision: 0 };

export interface RunControl {
  readonly state: ControlState;
  /**
   * To be awaited between two pieces of work: returns at once, or when the pause ends.
   *
   * @param onPause - Called with true when waiting begins, with false when it ends.
   * @returns Whether the work has to stop here.
   */
  boundary(onPause: (paused: boolean) => Promise<void>): Promise<'go-on' | 'stop'>;
}

const pause = defineSignal(RUN_SIGNALS.pause);
const goOn = defineSignal(RUN_SIGNALS.continue);
const stop = defineSignal(RUN_SIGNALS.stop);
const progress = defineQuery<RunProgress>(PROGRESS_QUERY);

/** From the run to its epoch: what is asked for now. */
export const controlSignal = defineSignal<[ControlState]>('control');

type Describe = () => Omit<RunProgress, 'paused'>;

/**
 * The run's side: handles `pause`, `continue`, `stop` and `progress`.
 *
 * @param initial - The state handed over by the execution that continued as new.
 * @param describe - Answers the query, all but `paused`.
 * @param forward - Tells the child that runs at the moment, if any.
 */
export function listenForRequests(
  initial: ControlState,
  describe: Describe,
  forward: (state: ControlState) => Promise<void>,
): RunControl {
  let state = initial;
  const change = async (paused: boolean, stopping: boolean): Promise<void> => {
    state = { paused, stopping, revision: state.revision + 1 };
    await forward(state);
  };
  setHandler(pause, async () => change(true, state.stopping));
  // Also takes back a stop that was asked for, but has not happened yet.
  setHandler(goOn, async () => change(false, false));
  setHandler(stop, async () => change(state.paused, true));
  return runControl(() => state, describe);
}

/** The epoch's side: follows what the run tells it, and answers `progress`. */
export function followRun(initial: ControlState, describe: Describe): RunControl {
  let state = initial;
  setHandler(controlSignal, (next) => {
    if (next.revision > state.revision) state = next;
  });
  return runControl(() => state, describe);
}

function runControl(current: () => ControlState, describe: Describe): RunControl {
  setHandler(progress, () => ({ ...describe(), paused: current().paused }));
  return {
    get state() {
      return current();
    },
    async boundary(onPause) {
      if (current().paused && !current().stopping) {
        await onPause(true);
        await condition(() => !current().paused || current().stopping);
        if (!current().stopping) await onPause(false);
      }
      return current().stopping ? 'stop' : 'go-on';
    },
  };
}
