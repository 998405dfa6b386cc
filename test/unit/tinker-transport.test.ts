import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { createTransport, RETRIEVE, type TransportOptions } from '../../tinker/transport.ts';

const { signal } = new AbortController();

/** Calls `use` with the address of a server. */
async function withServer(answer: RequestListener, use: (url: string) => Promise<void>) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

function transportTo(baseUrl: string, options: Partial<TransportOptions> = {}) {
  const patience = { pause: 1, busy: 1, away: 0 };
  return createTransport({ baseUrl, apiKey: undefined, patience, ...options });
}

it('repeats no more than a piece of what a service answers that fails', async () => {
  const prompt = 'which\nflights '.repeat(2000);
  await withServer(
    (_request, response) => {
      response.writeHead(500).end(`cannot handle ${prompt}`);
    },
    async (url) => {
      const error: unknown = await transportTo(url)
        .call('forward', {}, { signal })
        .catch((reason: unknown) => reason);
      const { message } = error as Error;
      expect(message).toMatch(/does not answer: 500 cannot handle which flights which/);
      expect(message.length).toBeLessThan(600);
    },
  );
});

it('gives a request up that nothing comes of, also when memory is tidied up meanwhile', async () => {
  setFlagsFromString('--expose-gc');
  const tidy = runInNewContext('gc') as () => void;
  await withServer(
    () => undefined,
    async (url) => {
      const patience = { pause: 1, busy: 500, away: 0 };
      let answers = 0;
      const told = transportTo(url, { patience, silence: 200 }).call(
        RETRIEVE,
        {},
        { signal, onAnswer: () => answers++ },
      );
      const timer = setInterval(tidy, 20);
      await expect(told).rejects.toThrow('keeps asking to wait: nothing has come for 0.2 s');
      clearInterval(timer);
      expect(answers).toBeGreaterThan(1);
    },
  );
});

it('waits for a body as long as something comes', async () => {
  await withServer(
    (_request, response) => {
      let parts = 0;
      const timer = setInterval(() => {
        if (++parts < 8) response.write('x');
        else {
          clearInterval(timer);
          response.end('y');
        }
      }, 60);
    },
    async (url) => {
      const bytes = await transportTo(url, { silence: 300 }).file('archive', { signal });
      expect(Buffer.from(bytes).toString()).toBe('xxxxxxxy');
    },
  );
});

it('takes the key to no other place, however it is sent there', async () => {
  const keys: Record<string, unknown> = {};
  await withServer(
    ({ headers, url }, response) => {
      keys[`storage ${url}`] = headers['x-api-key'];
      if (url === '/back') response.writeHead(302, { location: '/signed' }).end();
      else response.end('weights');
    },
    async (storage) => {
      await withServer(
        ({ headers, url }, response) => {
          keys[`service ${url}`] = headers['x-api-key'];
          const location = url?.endsWith('/') === true ? `${storage}/back` : `${url}/`;
          response.writeHead(307, { location }).end();
        },
        async (service) => {
          const transport = transportTo(service, { apiKey: 'secret' });
          const bytes = await transport.file('archive', { signal });
          expect(Buffer.from(bytes).toString()).toBe('weights');
        },
      );
    },
  );
  expect(keys).toEqual({
    'service /api/v1/archive': 'secret',
    'service /api/v1/archive/': 'secret',
    'storage /back': undefined,
    'storage /signed': undefined,
  });
});

it('gives up where places only point to each other', async () => {
  await withServer(
    ({ url }, response) => {
      response.writeHead(302, { location: `${url}x` }).end();
    },
    async (url) => {
      await expect(transportTo(url).file('archive', { signal })).rejects.toThrow(
        'the file is not where the service says',
      );
    },
  );
});
