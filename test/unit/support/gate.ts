import { setTimeout as sleep } from 'node:timers/promises';

/** A place where somebody waits until a test lets them go on. */
export interface Gate {
  /** Waits here. */
  readonly pass: () => Promise<void>;
  /** Somebody waits. */
  readonly reached: () => Promise<void>;
  readonly open: () => void;
}

const LOOK_MILLISECONDS = 5;

export function gate(): Gate {
  const state = { waiting: false, open: false };
  return {
    async pass() {
      state.waiting = true;
      while (!state.open) await sleep(LOOK_MILLISECONDS);
    },
    async reached() {
      while (!state.waiting) await sleep(LOOK_MILLISECONDS);
    },
    open() {
      state.open = true;
    },
  };
}
