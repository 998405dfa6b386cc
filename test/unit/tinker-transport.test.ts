import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createTransport } from '../../tinker/transport.ts';

it('repeats no more than a piece of what a service answers that fails', async () => {
  const prompt = 'which\nflights '.repeat(2000);
  const server = createServer((_request, response) => {
    response.writeHead(500).end(`cannot handle ${prompt}`);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    const { port } = server.address() as AddressInfo;
    const transport = createTransport({
      baseUrl: `http://127.0.0.1:${port}`,
      apiKey: undefined,
      patience: { pause: 1, busy: 1, away: 0 },
    });
    const error: unknown = await transport
      .call('forward', {}, { signal: new AbortController().signal })
      .catch((reason: unknown) => reason);
    const { message } = error as Error;
    expect(message).toMatch(/does not answer: 500 cannot handle which flights which/);
    expect(message.length).toBeLessThan(600);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
