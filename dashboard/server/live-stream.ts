import type { Context } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import type { LiveUpdates, News } from './live-updates.ts';

/** A sign of life, so that a dead connection is noticed on both sides. */
const HEARTBEAT_MILLISECONDS = 15_000;
/** When the browser tries again after the connection was lost. */
const RETRY_MILLISECONDS = 2_000;

/** Server-sent events of what changes, until the reader goes away. */
export function streamNews(c: Context, updates: LiveUpdates): Response {
  const send = async (stream: SSEStreamingApi): Promise<void> => {
    const waiting: News[] = [];
    let wake: (() => void) | null = null;
    const unwatch = updates.watch((news) => {
      waiting.push(news);
      wake?.();
    });
    stream.onAbort(() => {
      wake?.();
    });
    try {
      await stream.writeSSE({ event: 'hello', data: '{}', retry: RETRY_MILLISECONDS });
      while (!stream.aborted && !stream.closed) {
        const news = waiting.shift();
        if (news !== undefined) {
          await stream.writeSSE({ event: news.kind, data: JSON.stringify(news) });
          continue;
        }
        const beat = await quiet(HEARTBEAT_MILLISECONDS, (done) => {
          wake = done;
        });
        if (beat) await stream.write(': \n\n');
      }
    } finally {
      unwatch();
    }
  };
  // A reader that went away in the middle of a message is nothing to tell anybody.
  return streamSSE(c, send, async () => undefined);
}

/** Waits until it is called, or for so long: true. */
async function quiet(milliseconds: number, onWait: (wake: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(true);
    }, milliseconds);
    onWait(() => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}
