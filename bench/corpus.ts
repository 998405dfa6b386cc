import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { painter, table } from '../cli/render/text.ts';
import { ensureDatabaseOnly, removeDataFolder } from '../services/services.ts';
import { withClient } from '../services/postgres/connection.ts';
import type { CorpusFigures, Times } from './corpus-figures.ts';
import { describeMachine } from './machine.ts';
import { withScratchFolder } from './scratch-folder.ts';

/*
 * What a large corpus costs: `npm run bench:corpus -- [--sizes 10000,100000,1000000] [--steps N] [--json FILE]`. A file of so many
 * samples is imported by `prepareRun`, as a process of its own; two thirds are given statistics as a long run leaves them; then steps are
 * taken, all of their activities but for what a policy computes.
 */

const SIZE = fileURLToPath(new URL('corpus-size.ts', import.meta.url));

async function bench(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: '10000,100000,1000000' },
      steps: { type: 'string', default: '20' },
      json: { type: 'string' },
    },
  });
  const sizes = values.sizes.split(',').map((size) => atLeast('--sizes', size, 10_000));
  const steps = atLeast('--steps', values.steps, 2);
  for (const line of describeMachine()) console.log(line);
  const figures: CorpusFigures[] = [];
  await withScratchFolder(async (folder) => {
    // Root's Postgres runs as another user, who has to get through.
    await chmod(folder, 0o711);
    const home = join(folder, 'home');
    const { databaseUrl } = await ensureDatabaseOnly({ home, env: {} });
    try {
      for (const size of sizes) {
        const name = `corpus_${size}`;
        await withClient(databaseUrl, (client) => client.query(`create database ${name}`));
        const url = new URL(databaseUrl);
        url.pathname = `/${name}`;
        figures.push(await measure(url.href, folder, size, steps));
        await withClient(databaseUrl, (client) => client.query(`drop database ${name}`));
        if (values.json !== undefined) await writeFile(values.json, JSON.stringify(figures));
      }
    } finally {
      await removeDataFolder(home);
    }
  });
  for (const line of report(figures)) console.log(line);
  return figures.every(({ sequentialScans, chiSquare }) => {
    return sequentialScans.length === 0 && chiSquare.probability > LEAST_PROBABILITY;
  });
}

/** A distribution that is right fails this once in a thousand times. */
const LEAST_PROBABILITY = 0.001;

async function measure(
  url: string,
  folder: string,
  size: number,
  steps: number,
): Promise<CorpusFigures> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', SIZE, url, folder, String(size), String(steps)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`measuring ${size} samples ended with ${String(code)}`);
  return JSON.parse(output) as CorpusFigures;
}

function three({ median, p95, processor }: Times): string {
  return [median, p95, processor].map((each) => each.toFixed(0)).join(' / ');
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

function report(figures: readonly CorpusFigures[]): string[] {
  const rows: readonly (readonly [string, (each: CorpusFigures) => string])[] = [
    ['samples', (each) => each.samples.toLocaleString('en-US')],
    ['file, MiB', (each) => mebibytes(each.fileBytes)],
    ['import, s', (each) => each.importSeconds.toFixed(1)],
    ['memory at the peak of the import, MiB', (each) => mebibytes(each.peakBytes)],
    ['memory before it, MiB', (each) => mebibytes(each.baseBytes)],
    ['picking by shuffle, median / p95 / processor, ms', (each) => three(each.shuffleMs)],
    ['picking by importance, median / p95 / processor, ms', (each) => three(each.importanceMs)],
    ['learning from a step, median / p95 / processor, ms', (each) => three(each.learnMs)],
    ['groups of a step, reserve included', (each) => each.groups.toFixed(0)],
    ['completions of a step', (each) => each.completions.toFixed(0)],
    ['rows written a step', (each) => each.rowsWritten.toFixed(0)],
    ['transactions a step', (each) => each.transactions.toFixed(0)],
    ['write-ahead log a step, KiB', (each) => (each.walBytes / 1024).toFixed(0)],
    ['database, MiB', (each) => mebibytes(each.databaseBytes)],
    ['tables scanned in the steps', (each) => each.sequentialScans.join(', ') || 'none'],
    [
      'picks against the exact distribution',
      ({ chiSquare: { statistic, degreesOfFreedom, probability } }) =>
        `χ² ${statistic.toFixed(1)} of ${degreesOfFreedom}, p ${probability.toFixed(3)}`,
    ],
  ];
  return table(
    ['', ...figures.map(() => '')],
    rows.map(([name, value]) => [name, ...figures.map(value)]),
    { paint: painter(process.stdout.isTTY), left: [0] },
  );
}

function atLeast(flag: string, value: string, least: number): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new RangeError(`${flag}: whole numbers, at least ${least}, not "${value}"`);
}

try {
  process.exitCode = (await bench()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof RangeError ? error.message : error);
  process.exitCode = error instanceof RangeError ? 2 : 1;
}
