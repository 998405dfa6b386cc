import { parentPort, workerData } from 'node:worker_threads';
import type { EngineProgress } from '../../contracts/policy.ts';
import { createPolicyMemory, markStored } from './policy-memory.ts';
import { runCall } from './thread-calls.ts';
import type { FromThread, ThreadOptions, ToThread } from './thread-protocol.ts';
import { packError } from './transferred-error.ts';

/** The policy thread: one call at a time, weights kept between calls. Started by create-policy-engine.ts. */

const PROGRESS_MILLISECONDS = 100;
const STOPPED = new Error('stopped');

const port = parentPort;
if (port === null) throw new Error('policy-thread.ts runs in a worker thread only');
const memory = createPolicyMemory(workerData as ThreadOptions);
// A device that does not open is told to each call.
memory.catch(() => undefined);
const answer = (message: FromThread): void => {
  port.postMessage(message);
};

async function serve({ name, request, abort }: ToThread & { kind: 'call' }): Promise<void> {
  let reported = -Infinity;
  const progress = (state: EngineProgress): void => {
    // Thousands of messages a second would cost more than they tell.
    const now = performance.now();
    if (state.done < state.total && now - reported < PROGRESS_MILLISECONDS) return;
    reported = now;
    answer({ kind: 'progress', progress: state });
  };
  const check = (): void => {
    if (Atomics.load(abort, 0) !== 0) throw STOPPED;
  };
  try {
    check();
    const value = await runCall(await memory, name, request, { progress, check });
    answer({ kind: 'result', value });
  } catch (error) {
    answer(
      error === STOPPED ? { kind: 'aborted' } : { kind: 'error', error: packError(error, name) },
    );
  }
}

let running: Promise<void> = Promise.resolve();
port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'call':
      running = serve(message);
      break;
    case 'stored':
      void memory.then((open) => {
        markStored(open, message.weights, message.optimizer);
      });
      break;
    case 'end':
      // The thread ends by itself once nobody can write to it; the running call still answers.
      void running.then(() => {
        port.close();
      });
  }
});
