import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resume, train } from '../../cli/commands/train.ts';
import { requireFreeAddress } from '../../cli/metrics-option.ts';
import { processTerminal } from '../../cli/terminal.ts';

let home: string;
let server: Server;
let metrics: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'toolsample-metrics-'));
  server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  metrics = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await rm(home, { recursive: true });
});

it('refuses a port that is taken before a run, or anything else, is there', async () => {
  const context = { terminal: processTerminal({}), home, json: false, metrics };
  const options = { flags: {}, file: undefined, forceNew: true, name: undefined };
  for (const command of [train(context, options), resume(context, 'latest')])
    await expect(command).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(
        /^field "metrics": cannot serve metrics on 127\.0\.0\.1:\d+: .*EADDRINUSE.* — choose/,
      ),
    });
  expect(await readdir(home)).toEqual([]);
});

it('takes what can be listened on, and says of what cannot why', async () => {
  await expect(requireFreeAddress('127.0.0.1:0')).resolves.toBeUndefined();
  await expect(requireFreeAddress('192.0.2.1:9464')).rejects.toThrow('EADDRNOTAVAIL');
});
