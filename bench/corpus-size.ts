import { createWriteStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { prepareRun } from '../activities/prepare-run.ts';
import { generateSample } from '../datasets/builtin/generator.ts';
import { connect } from '../db/connection.ts';
import { migrateDatabase } from '../db/migrate.ts';
import { loadPolicyText } from '../policy/text/policy-text.ts';
import { openArtifactStore } from '../services/artifact-store.ts';
import { corpusDistribution } from './corpus-distribution.ts';
import type { CorpusFigures } from './corpus-figures.ts';
import { measureSteps, seedStatistics } from './corpus-steps.ts';

/* One size of `npm run bench:corpus`, in a process of its own, so that its memory is that of the import: prints its figures as JSON. */

const [url = '', folder = '', size = '', steps = ''] = process.argv.slice(2);
const samples = Number(size);

/** Rows as ToolRL's files have them, a line each. */
function* lines(): Generator<string> {
  for (let index = 0; index < samples; index++) {
    const level = ([0, 1, 2, 3] as const)[index % 4] ?? 0;
    const { messages, groundTruth } = generateSample({ seed: 1, index, level, split: 'train' });
    const [instruction, input] = messages.map(({ content }) => content);
    yield `${JSON.stringify({ instruction, input: `${input} (${index})`, output: groundTruth })}\n`;
  }
}

/** Resident memory: now, and at most so far. */
async function memory(): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile('/proc/self/status', 'utf8');
  const bytes = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}

async function measure(): Promise<CorpusFigures> {
  const data = join(folder, `corpus-${samples}.jsonl`);
  await pipeline(Readable.from(lines()), createWriteStream(data));
  await migrateDatabase(url);
  let connection = connect(url);
  const artifacts = await openArtifactStore({
    artifacts: join(folder, `artifacts-${samples}`),
    temporary: join(folder, `temporary-${samples}`),
    cache: join(folder, `cache-${samples}`),
  });
  const deps = {
    db: connection.db,
    artifacts,
    policyText: async (base: Parameters<typeof loadPolicyText>[0]) =>
      loadPolicyText(base, artifacts),
  };
  const small = { data: 'builtin', corpusSize: 1_000, evalSize: 10 };
  const config = {
    maxSteps: 100,
    evalSchedule: 'none',
    warmStart: [],
    trainBatchSize: 64,
    maxBackfillRounds: 2,
    sampling: { activationPatience: 0 },
  };
  await prepareRun(deps, { run: 'small', config: { ...config, ...small } });
  // With the policy's text loaded.
  const { now: baseBytes } = await memory();
  const started = performance.now();
  await prepareRun(deps, { run: 'imported', config: { ...config, data } });
  const importSeconds = (performance.now() - started) / 1000;
  const { peak: peakBytes } = await memory();
  await seedStatistics(connection, 'imported');
  const chiSquare = await corpusDistribution(connection, 'imported');
  // Postgres counts what a connection has read when it ends.
  await connection.close();
  await setTimeout(1_000);
  connection = connect(url);
  const measured = await measureSteps(connection, { url, run: 'imported', steps: Number(steps) });
  const { rows } = await connection.pool.query<{ bytes: string }>(
    'select pg_database_size(current_database()) as bytes',
  );
  await connection.close();
  return {
    samples,
    fileBytes: (await stat(data)).size,
    importSeconds,
    peakBytes,
    baseBytes,
    ...measured,
    databaseBytes: Number(rows[0]?.bytes),
    chiSquare,
  };
}

const figures = await measure();
process.stdout.write(JSON.stringify(figures));
