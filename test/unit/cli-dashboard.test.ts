import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report } from '../../cli/commands/report.ts';
import { serveBeside } from '../../cli/run-dashboard.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { painter } from '../../cli/render/text.ts';
import type { ToolsampleClient } from '../../client.ts';
import { connect } from '../../db/connection.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { ensureDatabaseOnly } from '../../services/services.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { CHECKOUT, env, scratchFolders, type ScratchFolders } from './support/scratch-services.ts';
import { takeStep } from './support/scratch-steps.ts';

let folders: ScratchFolders;
let home: string;
let services: Awaited<ReturnType<typeof ensureDatabaseOnly>>;

beforeAll(async () => {
  folders = await scratchFolders();
  home = folders.home('reported');
  services = await ensureDatabaseOnly({ home, env });
  await migrateDatabase(services.databaseUrl);
  const connection = connect(services.databaseUrl);
  await scratchRun(connection.db, 'mine', scratchSamples(12), {
    trainBatchSize: 4,
    numGenerations: 8,
    evalSchedule: 'none',
  });
  await takeStep(connection, { run: 'mine', epoch: 1, step: 1 }, 8);
  await connection.close();
}, 240_000);
afterAll(async () => {
  await folders.close();
});

function terminal(lines: string[]): Terminal {
  return {
    print: (line) => lines.push(line),
    note: (line) => lines.push(line),
    paint: painter(false),
    live: false,
    width: () => 80,
    outliveReader: () => undefined,
  };
}

async function written(output: string, ...runs: string[]): Promise<string[]> {
  const lines: string[] = [];
  await report({ terminal: terminal(lines), home, json: false }, runs, { output });
  return lines;
}

describe('report', () => {
  it('writes a file, in the place of an older one, and names it', async () => {
    const file = join(folders.root, 'report.html');
    await writeFile(file, 'old');
    const lines = await written(file, 'latest', 'mi');
    expect(lines[0]).toMatch(/report\.html \(\d+\.\d kB\): mine$/);
    const html = await readFile(file, 'utf8');
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).toContain("default-src 'none'");
    // Everything is in it: nothing is fetched from anywhere.
    expect(html).not.toMatch(/<(script|link|img)[^>]+(src|href)="(?!data:)/);
  });

  it.each([
    ['a folder that is not there', 'nowhere/report.html', 'mine', /folder does not exist/],
    ['a folder of that name', 'taken', 'mine', /is there and is no file/],
    ['a run that is not there', 'report.html', 'other', /there is no run "other"/],
  ])('says what is wrong: %s', async (_, name, run, problem) => {
    await mkdir(join(folders.root, 'taken'), { recursive: true });
    await expect(written(join(folders.root, name), run)).rejects.toThrow(problem);
  });
});

describe('beside a run', () => {
  it('serves the page of the run', async () => {
    const client = { services } as unknown as Pick<ToolsampleClient, 'services'>;
    const dashboard = await serveBeside(client, 'mine');
    expect(dashboard?.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#\/runs\/mine$/);
    const { status } = await fetch(dashboard?.address ?? '');
    expect(status).toBe(200);
    await dashboard?.close();
    await expect(fetch(dashboard?.address ?? '')).rejects.toThrow();
  });

  it('is left out where it cannot be, and nobody fails', async () => {
    const broken = { ...services, databaseUrl: 'nonsense' };
    const client = { services: broken } as unknown as Pick<ToolsampleClient, 'services'>;
    expect(await serveBeside(client, 'mine')).toBeNull();
  });
});

it('ui serves until it is interrupted, also while somebody watches', async () => {
  const child = spawn(
    process.execPath,
    [join(CHECKOUT, 'bin', 'toolsample.js'), 'ui', '--json', '--home', home],
    { env, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { address } = JSON.parse(line) as { address: string };
  const runs = (await (await fetch(`${address}api/runs`)).json()) as { run: string }[];
  expect(runs.map(({ run }) => run)).toEqual(['mine']);
  const watching = await fetch(`${address}api/live`);
  child.kill('SIGINT');
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(0);
  await expect(watching.text()).rejects.toThrow();
});
