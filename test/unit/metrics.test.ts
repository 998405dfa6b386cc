import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportMetrics, type MetricsOptions } from '../../cli/commands/metrics.ts';
import { painter } from '../../cli/render/text.ts';
import { connect } from '../../db/connection.ts';
import { commitEvaluation } from '../../db/evaluations.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { crc32c } from '../../metrics/crc32c.ts';
import { EVENT_FILE } from '../../metrics/tensorboard-events.ts';
import { openRuns } from '../../client/run-reader.ts';
import type { EvaluationStatus, StepStatus } from '../../contracts/run-status.ts';
import { ensureDatabaseOnly } from '../../services/services.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';
import { env, scratchFolders, type ScratchFolders } from './support/scratch-services.ts';
import { takeStep } from './support/scratch-steps.ts';

const RUN = 'mine';
const STEPS = 3;

let folders: ScratchFolders;
let home: string;
let steps: readonly StepStatus[];
let evaluations: readonly EvaluationStatus[];

beforeAll(async () => {
  folders = await scratchFolders();
  home = folders.home('measured');
  const { databaseUrl } = await ensureDatabaseOnly({ home, env });
  await migrateDatabase(databaseUrl);
  const connection = connect(databaseUrl);
  await scratchRun(connection.db, RUN, scratchSamples(12), {
    trainBatchSize: 4,
    numGenerations: 8,
    evalSchedule: 'none',
  });
  for (let step = 0; step <= STEPS; step++) {
    if (step > 0) await takeStep(connection, { run: RUN, epoch: 1, step }, 8);
    if (step === 1) continue;
    await commitEvaluation(
      connection.db,
      { run: RUN, step, split: 'heldout', epoch: 1 },
      {
        n: 30,
        exactMatch: step / 8,
        exactMatchLow: 0,
        exactMatchHigh: 1,
        reward: -step,
        scoreFormat: 1,
        scoreName: 0.75,
        scoreKey: 0.5,
        scoreValue: 0.25,
        evaluationSeconds: 1,
      },
    );
  }
  await connection.close();
  const reader = await openRuns({ home });
  steps = await reader.steps(RUN);
  evaluations = (await reader.status(RUN)).evaluations;
  await reader.close();
}, 240_000);
afterAll(async () => {
  await folders.close();
});

async function printed(options: Partial<MetricsOptions>, json = false): Promise<string> {
  const lines: string[] = [];
  const terminal = {
    print: (line: string) => lines.push(line),
    note: (line: string) => lines.push(line),
    paint: painter(false),
    live: false,
    width: () => 80,
    outliveReader: () => undefined,
  };
  await exportMetrics({ terminal, home, json }, 'latest', {
    format: 'jsonl',
    output: undefined,
    ...options,
  });
  return lines.join('\n');
}

type Line = { readonly [field: string]: unknown };

async function jsonLines(): Promise<Line[]> {
  return (await printed({})).split('\n').map((line) => JSON.parse(line) as Line);
}

describe('metrics as JSON lines', () => {
  it('has the steps and evaluations as `status --json` tells them, in their order', async () => {
    const lines = await jsonLines();
    const order = lines.map((line) => `${String(line['kind'])} ${String(line['step'])}`);
    expect(order).toEqual([
      'evaluation 0',
      'step 1',
      'step 2',
      'evaluation 2',
      'step 3',
      'evaluation 3',
    ]);
    const ofKind = (kind: string): Line[] => lines.filter((line) => line['kind'] === kind);
    expect(steps).toHaveLength(STEPS);
    for (const [index, step] of steps.entries()) expect(ofKind('step')[index]).toMatchObject(step);
    for (const [index, each] of evaluations.entries())
      expect(ofKind('evaluation')[index]).toMatchObject(each);
  });

  it('tells more of a step: what the update did, and all tokens so far', async () => {
    const last = (await jsonLines()).findLast((line) => line['kind'] === 'step');
    expect(last).toMatchObject({ run: RUN, epoch: 1, entropy: 1, kl: null, learningRate: 1e-3 });
    // The scratch update's norm is NaN, which JSON does not have.
    expect(last?.['gradNorm']).toBeNull();
    expect(last?.['generatedTokensInAll']).toBe(
      steps.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0),
    );
  });

  it('has its fields in docs/cli.md', async () => {
    const document = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    const fields = (await jsonLines()).flatMap((line) => Object.keys(line));
    expect(fields.filter((field) => !document.includes(`"${field}":`))).toEqual([]);
  });
});

it('metrics as CSV has the same numbers in one table', async () => {
  const file = join(folders.root, 'metrics.csv');
  await writeFile(file, 'old');
  expect(await printed({ format: 'csv', output: file })).toContain('3 steps and 3 evaluations');
  const [header = '', ...rows] = (await readFile(file, 'utf8')).trimEnd().split('\r\n');
  const columns = header.split(',');
  const records = rows.map((row) => {
    const cells = row.split(',');
    return Object.fromEntries(columns.map((column, index) => [column, cells[index]]));
  });
  expect(records).toHaveLength(6);
  for (const step of steps) {
    const record = records.find(
      (each) => each['kind'] === 'step' && each['step'] === `${step.step}`,
    );
    expect(Number(record?.['reward'])).toBe(step.reward);
    expect(Number(record?.['mastery.format'])).toBe(step.mastery.format);
    expect(record).toMatchObject({ exactMatchLow: '', gradNorm: '', active: 'false' });
  }
});

it('--json prints the records as an array, or what was written', async () => {
  expect(JSON.parse(await printed({}, true))).toEqual(await jsonLines());
  const file = join(folders.root, 'metrics.jsonl');
  expect(JSON.parse(await printed({ output: file }, true))).toMatchObject({
    run: RUN,
    file,
    format: 'jsonl',
    steps: 3,
    evaluations: 3,
  });
  expect((await readFile(file, 'utf8')).trimEnd()).toBe(await printed({}));
});

it.each<[string, Partial<MetricsOptions>, RegExp]>([
  ['TensorBoard without a folder', { format: 'tensorboard' }, /-o tensorboard\/RUN/],
  ['a folder that is not there', { output: 'nowhere/m.jsonl' }, /folder does not exist/],
  ['a folder in place of the file', { output: 'taken' }, /is there and is no file/],
  ['a file in place of the folder', { output: 'file', format: 'tensorboard' }, /is no folder/],
])('says what is wrong: %s', async (_, options, problem) => {
  await mkdir(join(folders.root, 'taken'), { recursive: true });
  await writeFile(join(folders.root, 'file'), '');
  const { output } = options;
  const place = output === undefined ? {} : { output: join(folders.root, output) };
  await expect(printed({ ...options, ...place })).rejects.toThrow(problem);
});

/** Every scalar: tag to [step, value]. */
type Scalars = { readonly [tag: string]: readonly (readonly number[])[] };

async function expectedScalars(): Promise<Scalars> {
  const scalars: { [tag: string]: number[][] } = {};
  const add = (tag: string, step: number, value: unknown): void => {
    if (typeof value === 'string' || value === null) return;
    (scalars[tag] ??= []).push([step, Math.fround(Number(value))]);
  };
  for (const line of await jsonLines()) {
    const { kind, step, split, ...numbers } = line;
    const prefix = kind === 'step' ? '' : `evaluation/${String(split)}/`;
    for (const [name, value] of Object.entries(numbers)) {
      if (typeof value === 'object' && value !== null) {
        for (const [part, inner] of Object.entries(value))
          add(`${prefix}${name}/${part}`, Number(step), inner);
      } else add(`${kind === 'step' ? 'train/' : prefix}${name}`, Number(step), value);
    }
  }
  return scalars;
}

describe('metrics as an event file', () => {
  it('has checksums as RFC 3720 computes them', () => {
    const zeros = new Uint8Array(32);
    const ones = new Uint8Array(32).fill(0xff);
    expect([zeros, ones, Buffer.from('123456789')].map(crc32c)).toEqual([
      0x8a9136aa, 0x62a8ab43, 0xe3069283,
    ]);
  });

  it('frames its records as TensorFlow does, and holds the same numbers', async () => {
    const folder = join(folders.root, 'board', RUN);
    await printed({ format: 'tensorboard', output: folder });
    const file = await readFile(join(folder, EVENT_FILE));
    // How every event file of TensorFlow's own begins: the first record has 24 bytes.
    expect(file.subarray(0, 12).toString('hex')).toBe('1800000000000000a37f4b22');
    const [first, ...events] = decoded(file);
    expect(first).toMatchObject({ file_version: 'brain.Event:2' });
    const scalars: { [tag: string]: number[][] } = {};
    for (const { step, summary } of events)
      for (const { tag, simple_value } of summary?.value ?? [])
        (scalars[tag] ??= []).push([step, simple_value]);
    expect(scalars).toEqual(await expectedScalars());
    await printed({ format: 'tensorboard', output: folder });
    expect(await readFile(join(folder, EVENT_FILE))).toEqual(file);
  });
});

interface EventMessage {
  readonly step: number;
  readonly summary?: { readonly value?: readonly { tag: string; simple_value: number }[] };
}

function decoded(file: Buffer): EventMessage[] {
  const type = protobuf
    .parse(
      `syntax = "proto2";
       message Value { optional string tag = 1; optional float simple_value = 2; }
       message Summary { repeated Value value = 1; }
       message Event { optional double wall_time = 1; optional int64 step = 2; optional string file_version = 3; optional Summary summary = 5; }`,
      { keepCase: true },
    )
    .root.lookupType('Event');
  const events: EventMessage[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    events.push(type.toObject(type.decode(data), { longs: Number }) as EventMessage);
    at += 12 + length + 4;
  }
  return events;
}

const PYTHON = process.env['TOOLSAMPLE_PYTHON'] ?? 'python3';
const hasTensorBoard = spawnSync(PYTHON, ['-c', 'import tensorboard']).status === 0;

describe.skipIf(!hasTensorBoard)('metrics, read by TensorBoard', { timeout: 120_000 }, () => {
  it('are those of the run, at the time of each step', async () => {
    const folder = join(folders.root, 'read');
    await printed({ format: 'tensorboard', output: join(folder, RUN) });
    const script = fileURLToPath(new URL('../fixtures/tensorboard/scalars.py', import.meta.url));
    const output = execFileSync(PYTHON, [script, folder], { encoding: 'utf8' });
    const { [RUN]: read = {}, ...others } = JSON.parse(output) as { [run: string]: Scalars };
    expect(others).toEqual({});
    const withoutTime = Object.entries(read).map(([tag, points]) => [
      tag,
      points.map(([step, value]) => [step, value]),
    ]);
    expect(Object.fromEntries(withoutTime)).toEqual(await expectedScalars());
    const committed = (await jsonLines()).find((line) => line['kind'] === 'step')?.['committedAt'];
    expect(read['train/reward']?.[0]?.[2]).toBeCloseTo(Date.parse(String(committed)) / 1000, 3);
  });
});
