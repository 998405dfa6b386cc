import { ApiError } from './api-error.ts';

/** Counts the requests under way, so that a server can end without cutting any off. */
export interface Gate {
  /** @returns call it when the request is over. @throws ApiError 503 once the gate is closed */
  readonly enter: () => () => void;
  /** Lets nobody in any more, and waits until all who are in have left. */
  readonly close: () => Promise<void>;
}

/** An open gate. */
export function createGate(): Gate {
  let inside = 0;
  let closed = false;
  let empty: (() => void) | null = null;
  return {
    enter: () => {
      if (closed) {
        throw new ApiError(503, 'this server is about to end', {
          headers: { Connection: 'close', 'x-should-retry': 'false' },
        });
      }
      inside++;
      let left = false;
      return () => {
        if (left) return;
        left = true;
        inside--;
        if (inside === 0) empty?.();
      };
    },
    close: async () => {
      closed = true;
      if (inside === 0) return;
      await new Promise<void>((resolve) => {
        empty = resolve;
      });
    },
  };
}
