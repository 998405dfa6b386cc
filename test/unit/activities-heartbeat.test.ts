import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { engineCall, whileBeating } from '../../activities/heartbeat.ts';

/** Runs a body as an activity, and collects its heartbeats. */
async function asActivity(
  body: () => Promise<unknown>,
): Promise<{ result: PromiseSettledResult<unknown>; beats: unknown[] }> {
  const environment = new MockActivityEnvironment();
  const beats: unknown[] = [];
  environment.on('heartbeat', (details) => beats.push(details));
  const [result] = await Promise.allSettled([environment.run(body)]);
  return { result, beats };
}

describe('whileBeating', () => {
  it('beats while the body runs, with the progress of the engine, and ends with it', async () => {
    const progress = { done: 5, total: 9, unit: 'tokens' } as const;
    const { result, beats } = await asActivity(() =>
      whileBeating(() =>
        engineCall(async ({ onProgress }) => {
          onProgress(progress);
          await sleep(2_500);
          return 'done';
        }),
      ),
    );
    expect(result).toEqual({ status: 'fulfilled', value: 'done' });
    expect(beats).toEqual([progress]);
    await sleep(2_500);
    expect(beats).toHaveLength(1);
  });
});

describe('engineCall', () => {
  it('stops the engine when the activity is cancelled', async () => {
    const environment = new MockActivityEnvironment();
    let aborted = false;
    const running = environment.run(() =>
      engineCall(async ({ signal }) => {
        setTimeout(() => environment.cancel(), 20);
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        aborted = true;
        throw new Error('stopped by signal');
      }),
    );
    await expect(running).rejects.toBeInstanceOf(CancelledFailure);
    expect(aborted).toBe(true);
  });

  it('gives up, retryably, on an engine that neither moves nor listens', async () => {
    const { result } = await asActivity(() => engineCall(() => new Promise(() => undefined), 100));
    const error: unknown = result.status === 'rejected' ? result.reason : undefined;
    expect(error).toBeInstanceOf(ApplicationFailure);
    expect(error).toMatchObject({ type: 'stalled', nonRetryable: false });
  });

  it('is patient while progress is reported', async () => {
    const { result } = await asActivity(() =>
      engineCall(async ({ onProgress }) => {
        for (let done = 0; done < 10; done++) {
          await sleep(100);
          onProgress({ done, total: 10, unit: 'steps' });
        }
        return 'finished';
      }, 700),
    );
    expect(result).toEqual({ status: 'fulfilled', value: 'finished' });
  });

  it('passes errors on', async () => {
    const { result } = await asActivity(() =>
      engineCall(async () => {
        throw new TypeError('of the engine');
      }),
    );
    expect(result).toMatchObject({ status: 'rejected', reason: { message: 'of the engine' } });
  });
});
