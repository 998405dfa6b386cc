import { condition, defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import { PROGRESS_QUERY, RUN_SIGNALS, type RunProgress } from '../contracts/temporal.ts';

/** What the user asked of the run. Travels to the child and through continue-as-new. */
export interface ControlState {
  readonly paused: boolean;
  readonly stopping: boolean;
}

export const NO_REQUEST: ControlState = { paused: false, stopping: false };

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

/**
 * Sets the handlers of `pause`, `continue`, `stop` and `progress`.
 *
 * @param initial - The state handed over by the parent or by the run that continued as new.
 * @param describe - Answers the query, all but `paused`.
 * @param forward - Tells a child that runs at the moment; its end in between is no error.
 */
export function listenForControl(
  initial: ControlState,
  describe: () => Omit<RunProgress, 'paused'>,
  forward: (signal: string) => Promise<void> = async () => undefined,
): RunControl {
  let state = initial;
  setHandler(pause, async () => {
    state = { ...state, paused: true };
    await forward(RUN_SIGNALS.pause);
  });
  setHandler(goOn, async () => {
    // Also takes back a stop that was asked for, but has not happened yet.
    state = NO_REQUEST;
    await forward(RUN_SIGNALS.continue);
  });
  setHandler(stop, async () => {
    state = { ...state, stopping: true };
    await forward(RUN_SIGNALS.stop);
  });
  setHandler(progress, () => ({ ...describe(), paused: state.paused }));

  return {
    get state() {
      return state;
    },
    async boundary(onPause) {
      if (state.paused && !state.stopping) {
        await onPause(true);
        await condition(() => !state.paused || state.stopping);
        if (!state.stopping) await onPause(false);
      }
      return state.stopping ? 'stop' : 'go-on';
    },
  };
}
