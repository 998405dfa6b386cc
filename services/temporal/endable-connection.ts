import { setTimeout as sleep } from 'node:timers/promises';
import {
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type ConnectionOptions,
} from '@temporalio/client';
import { proxyArgs } from './connection.ts';

/** By default a server that was away for long, or often, is looked for every ten seconds to two minutes only. */
const PROMPT_RECONNECTION = { 'grpc.max_reconnect_backoff_ms': 1_000 } as const;

export interface EndableConnection {
  readonly connection: Connection;
  /** Ends calls under way; they reject. Waits for as long as one of them is about to be tried again: six seconds at most. */
  readonly close: () => Promise<void>;
}

/**
 * Connects to a server that may be gone when the connection is closed. The SDK tries a call that failed again, after a while; on a
 * connection that was closed meanwhile this throws where nobody can catch it, and ends the process.
 *
 * @throws Error of the SDK when no server answers
 */
export async function endableConnection(options: ConnectionOptions): Promise<EndableConnection> {
  const usual = defaultGrpcRetryOptions();
  let ending = false;
  let nextTry = 0;
  const retry = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, status) => !ending && usual.retryableDecider(attempt, status),
    delayFunction: (attempt, status) => {
      const delay = usual.delayFunction(attempt, status);
      nextTry = Math.max(nextTry, Date.now() + delay);
      return delay;
    },
  });
  const connection = await Connection.connect({
    ...options,
    channelArgs: {
      ...PROMPT_RECONNECTION,
      ...proxyArgs(options.address),
      ...options.channelArgs,
    },
    interceptors: [retry],
  });
  return {
    connection,
    close: async () => {
      ending = true;
      // Timers of equal length fire in the order in which they were set; ours is the later one.
      for (let left = nextTry - Date.now(); left > 0; left = nextTry - Date.now()) {
        await sleep(left + 1);
      }
      await connection.close();
    },
  };
}
