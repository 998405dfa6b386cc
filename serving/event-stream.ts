import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { asApiError } from './api-error.ts';

export interface StreamOptions {
  /** Aborted when the client is gone, or nobody will read any more. */
  readonly gone: AbortController;
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
  { gone, onEnd, onError }: StreamOptions,
): Response {
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => {
      gone.abort();
    });
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
      onEnd();
    }
  });
}
