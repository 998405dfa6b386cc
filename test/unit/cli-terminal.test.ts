import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { processTerminal } from '../../cli/terminal.ts';
import { withClient } from '../../cli/with-client.ts';

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const module = new URL('../../cli/terminal.ts', import.meta.url).href;

/** Ends with code 2 once it has printed a hundred lines, a reader of the first of which goes away. */
async function unread(setUp: string): Promise<{ readonly code: unknown; readonly notes: string }> {
  const script = `import { processTerminal } from ${JSON.stringify(module)};
    import { setTimeout as sleep } from 'node:timers/promises';
    const terminal = processTerminal({}); ${setUp};
    for (let line = 0; line < 100; line++) { terminal.print('line'); await sleep(5); }
    terminal.note('done');
    process.exitCode = 2;`;
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '-e', script]);
  const ended = once(child, 'exit');
  const notes = text(child.stderr);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await ended;
  return { code, notes: await notes };
}

describe('a reader that goes away', () => {
  it('ends a command that only tells', async () => {
    expect(await unread('')).toEqual({ code: 0, notes: '' });
  });

  it('does not end one that is to outlive it, which says so once', async () => {
    expect(await unread('terminal.outliveReader()')).toEqual({
      code: 2,
      notes: 'nobody reads the output any more; the work goes on\ndone\n',
    });
  });

  it('is outlived by what serves a run', async () => {
    let outlives = false;
    const outliveReader = (): void => {
      outlives = true;
    };
    const terminal = { ...processTerminal({}), outliveReader };
    // Ends where nothing is started yet.
    const context = { terminal, home: '/nowhere', json: false, metrics: '192.0.2.1:9464' };
    await expect(withClient(context, async () => 0)).rejects.toThrow('cannot serve metrics');
    expect(outlives).toBe(true);
  });
});
