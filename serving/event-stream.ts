import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { asApiError } from './api-error.ts';

/** For clients to read the end of their answers. */
export const LAST_BYTES_MS = 5_000;

export interface StreamOptions {
  /** Aborted when the client is gone, or nobody will read any more. */
  readonly gone: AbortController;
  /** Of the request at most; whoever has not read its answer soon after is cut off. */
  readonly seconds: number;
  /** The last that is done. */
  readonly onEnd: () => void;
  /** Receives what goes wrong. */
  readonly onError: (error: unknown) => void;
}

/**
 * Sends chunks as server-sent events, as OpenAI's interface does: one JSON a message, then `[DONE]`. What goes wrong after the
 * beginning is told as a message, too: a status was sent already.
 */
export function streamChunks(
  c: Context,
  chunks: AsyncIterable<object>,
  { gone, seconds, onEnd, onError }: StreamOptions,
): Response {
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => {
      gone.abort();
    });
    // A client that reads nothing blocks the next message for as long as it likes.
    const patience = setTimeout(
      () => {
        stream.abort();
        (c.env as Partial<HttpBindings> | undefined)?.outgoing?.destroy();
      },
      1000 * seconds + LAST_BYTES_MS,
    );
    const send = async (data: string): Promise<void> => stream.writeSSE({ data });
    try {
      for await (const chunk of chunks) {
        if (stream.aborted) return;
        await send(JSON.stringify(chunk));
      }
      await send('[DONE]');
    } catch (error) {
      if (gone.signal.aborted) return;
      onError(error);
      await send(JSON.stringify(asApiError(error).body));
    } finally {
      clearTimeout(patience);
      onEnd();
    }
  });
}
