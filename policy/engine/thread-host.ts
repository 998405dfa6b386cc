import { once } from 'node:events';
import { Worker, type TransferListItem } from 'node:worker_threads';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { EngineCallOptions } from '../../contracts/policy.ts';
import type {
  CallName,
  FromThread,
  ThreadCalls,
  ThreadOptions,
  ThreadResults,
  ToThread,
} from './thread-protocol.ts';
import { unpackError } from './transferred-error.ts';

/** How a call is watched, and what of its request moves into the thread instead of being copied. */
export interface ThreadCallOptions extends EngineCallOptions {
  readonly transfer?: readonly TransferListItem[];
}

/** A policy thread and the call that it is busy with. */
export interface ThreadHost {
  /** Runs one call; the one before must have settled. Starts the thread when there is none. */
  readonly call: <Name extends CallName>(
    name: Name,
    request: ThreadCalls[Name],
    options: ThreadCallOptions,
  ) => Promise<ThreadResults[Name]>;
  /** A message that has no answer; nothing happens without a thread. */
  readonly post: (message: ToThread) => void;
  /** Stops the running call, which rejects like all later ones, and lets the thread end. */
  readonly close: () => Promise<void>;
}

export function createThreadHost(options: ThreadOptions): ThreadHost {
  let worker: Worker | null = null;
  const closing = new AbortController();
  const living = (): Worker => {
    closing.signal.throwIfAborted();
    if (worker !== null) return worker;
    const started = startThread(options);
    started.once('exit', () => {
      if (worker === started) worker = null;
    });
    worker = started;
    return started;
  };
  return {
    call: async (name, request, { signal, ...options }) =>
      callThread(living(), name, request, {
        ...options,
        signal: signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]),
      }),
    post: (message) => {
      if (worker !== null) send(worker, message);
    },
    close: async () => {
      closing.abort(new ToolsampleError('service', 'the policy engine is closed'));
      if (worker === null) return;
      // Never terminate(): the process aborts when ONNX Runtime is at work in the thread.
      const exit = once(worker, 'exit');
      worker.ref();
      send(worker, { kind: 'end' });
      await exit;
    },
  };
}

function startThread(options: ThreadOptions): Worker {
  const worker = new Worker(new URL('./start-policy-thread.js', import.meta.url), {
    name: 'policy',
    workerData: options,
    // Flags of the parent, a test runner's say, are not the thread's.
    execArgv: [],
  });
  // Without a listener an error in the thread would end the process; a running call hears of it by itself.
  worker.on('error', () => undefined);
  // A program may end while the engine is idle; a running call keeps it.
  worker.unref();
  return worker;
}

function send(worker: Worker, message: ToThread, transfer: readonly TransferListItem[] = []): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a rule for browser windows; threads have no origin
  worker.postMessage(message, transfer);
}

function callThread<Name extends CallName>(
  worker: Worker,
  name: Name,
  request: ThreadCalls[Name],
  { onProgress, signal, transfer }: ThreadCallOptions,
): Promise<ThreadResults[Name]> {
  const abort = new Int32Array(new SharedArrayBuffer(4));
  return new Promise<ThreadResults[Name]>((resolve, reject) => {
    let death: unknown;
    const stop = (): void => {
      Atomics.store(abort, 0, 1);
    };
    const settle = (): void => {
      worker.off('message', hear);
      worker.off('error', mourn);
      worker.off('exit', bury);
      signal?.removeEventListener('abort', stop);
      worker.unref();
    };
    const hear = (message: FromThread): void => {
      if (message.kind === 'progress') {
        onProgress?.(message.progress);
        return;
      }
      settle();
      if (message.kind === 'result') resolve(message.value as ThreadResults[Name]);
      else if (message.kind === 'error') reject(unpackError(message.error));
      else reject(signal?.reason as Error);
    };
    const mourn = (error: unknown): void => {
      death = error;
    };
    const bury = (): void => {
      settle();
      const reason = death instanceof Error ? `: ${death.message.split('\n', 1)[0]}` : '';
      reject(
        new ToolsampleError('service', `the policy thread ended during ${name}${reason}`, {
          hint: 'the call can be made again',
          cause: death,
        }),
      );
    };
    worker.ref();
    worker.on('message', hear);
    worker.on('error', mourn);
    worker.on('exit', bury);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted === true) stop();
    send(worker, { kind: 'call', name, request, abort }, transfer);
  });
}
