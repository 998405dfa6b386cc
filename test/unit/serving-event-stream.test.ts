import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { Hono } from 'hono';
import { afterEach, expect, it } from 'vitest';
import { listen } from '../../services/http-server.ts';
import { LAST_BYTES_MS, streamChunks } from '../../serving/event-stream.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function* endless(): AsyncGenerator<object> {
  for (;;) {
    await setImmediate();
    yield { text: 'x'.repeat(10_000) };
  }
}

it('a client that reads nothing is cut off soon after the time of its request', async () => {
  const app = new Hono();
  const gone = new AbortController();
  const ended = new Promise<void>((resolve) => {
    app.get('/', (c) =>
      streamChunks(c, endless(), { gone, seconds: 0.1, onEnd: resolve, onError: () => undefined }),
    );
  });
  server = await listen(app.fetch, { host: '127.0.0.1', port: 0 });
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
  client.on('error', () => undefined);
  const begun = performance.now();
  client.pause();
  client.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await ended;
  expect(performance.now() - begun).toBeLessThan(LAST_BYTES_MS + 5_000);
  expect(gone.signal.aborted).toBe(true);
  // The connection is closed, too: it would keep what was never read.
  await expect
    .poll(async () => new Promise((resolve) => server!.getConnections((_, n) => resolve(n))))
    .toBe(0);
  client.destroy();
}, 20_000);
