/** Signals by which a user, a terminal that closes, or a supervisor asks us to stop. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** npm passes Ctrl-C on, although the terminal has sent it to us already: two so close together are one. */
const ECHO_MILLISECONDS = 1000;

export interface InterruptHandlers {
  /** The first time. */
  readonly stop: () => void;
  /** The second time. */
  readonly kill: () => void;
}

/** Listens for requests to stop, until the returned function is called. */
export function onInterrupt({ stop, kill }: InterruptHandlers): () => void {
  let firstAt: number | null = null;
  const listen = (): void => {
    const now = Date.now();
    if (firstAt === null) {
      firstAt = now;
      stop();
    } else if (now - firstAt > ECHO_MILLISECONDS) {
      kill();
    }
  };
  for (const signal of SIGNALS) process.on(signal, listen);
  return () => {
    for (const signal of SIGNALS) process.off(signal, listen);
  };
}

/** Waits for the first such request. */
export async function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    const release = onInterrupt({
      stop: () => {
        release();
        resolve();
      },
      kill: () => undefined,
    });
  });
}
