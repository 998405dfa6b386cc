import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endableConnection } from '../../services/temporal/endable-connection.ts';
import { startTemporalServer } from '../workflow/temporal-server.ts';

/** Of the SDK, between two tries of a call. */
const LONGEST_PAUSE = 6_000;

const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);
beforeEach(() => {
  process.on('uncaughtException', note);
});
afterEach(() => {
  process.off('uncaughtException', note);
});

it('is closed without a word while its server is gone and a call waits to be tried again', async () => {
  const server = await startTemporalServer();
  const { connection, close } = await endableConnection({ address: server.address });
  await server.stop();
  const call = connection.workflowService.getSystemInfo({}).catch((error: unknown) => error);
  // Tried, refused, and waiting.
  await sleep(1_500);
  const before = Date.now();
  await close();
  expect(Date.now() - before).toBeLessThan(LONGEST_PAUSE + 1_000);
  expect(await call).toBeInstanceOf(Error);
  await sleep(LONGEST_PAUSE);
  expect(uncaught).toEqual([]);
}, 60_000);
