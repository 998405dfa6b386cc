import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileDemonstrations } from '../../activities/demonstration-file.ts';
import type { ArtifactStore } from '../../contracts/artifacts.ts';
import type { PolicyText } from '../../contracts/policy.ts';
import type { Prompt, Sample } from '../../contracts/sample.ts';
import type { Connection } from '../../db/connection.ts';
import { eventsOf } from '../../db/events.ts';
import { readRun, type RunRow } from '../../db/runs.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { scratchServer } from './support/scratch-database.ts';
import { scratchRun, scratchSamples } from './support/scratch-run.ts';

const SAMPLES = scratchSamples(12);
/** A token for each character: lengths can be told. */
const TEXT = {
  encodePrompt: ({ messages }: Prompt) => codes(messages.map((m) => m.content).join('')),
  encodeCompletion: (text: string) => codes(text),
  contextLength: 100_000,
} as unknown as PolicyText;

const server = scratchServer();
let connection: Connection;
let folder: string;
let artifacts: ArtifactStore;

beforeAll(async () => {
  connection = await server.migrated();
  folder = await mkdtemp(join(tmpdir(), 'toolsample-demonstrations-'));
  artifacts = await openFolderStore({
    artifacts: join(folder, 'artifacts'),
    temporary: join(folder, 'tmp'),
  });
});

afterAll(async () => {
  await connection.close();
  await rm(folder, { recursive: true, force: true });
});

function codes(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}

/** A sample as an rlla row. */
function row({ messages, groundTruth }: Sample): object {
  return { prompt: messages, reward_model: { style: 'rule', ground_truth: groundTruth } };
}

async function fileOf(name: string, rows: readonly object[]): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, JSON.stringify(rows));
  return file;
}

/** A run whose warm start reads the file, and that evaluates on the first two samples. */
async function runWith(run: string, data: string, maxBadRows = 0): Promise<RunRow> {
  await scratchRun(connection.db, run, SAMPLES.slice(0, 2), {
    max_bad_rows: maxBadRows,
    max_prompt_length: 5000,
    max_completion_length: 400,
    warm_start: [{ data, steps: 16 }],
  });
  return readRun(connection.db, run);
}

async function promptsOf(run: RunRow): Promise<string[]> {
  const stores = { db: connection.db, artifacts };
  const at = await fileDemonstrations(stores, run, 0, 7, TEXT);
  return Array.from({ length: 10 }, (_, i) => String.fromCodePoint(...(at(i)?.promptIds ?? [])));
}

describe('fileDemonstrations', () => {
  it('shows every usable row but what is held out, and says what was left out', async () => {
    const long = { ...SAMPLES[5], groundTruth: `<think>${'so '.repeat(200)}</think>` } as Sample;
    const file = await fileOf('mixed.json', [...SAMPLES.map(row), { prompt: 3 }, row(long)]);
    await expect(promptsOf(await runWith('strict', file))).rejects.toMatchObject({
      code: 'dataset',
      message: expect.stringMatching(/^mixed\.json, row 13, field "prompt": .*--max-bad-rows/),
    });
    const run = await runWith('mixed', file, 1);
    const prompts = await promptsOf(run);
    const wanted = SAMPLES.slice(2).map(({ messages }) => messages.map((m) => m.content).join(''));
    expect(new Set(prompts)).toEqual(new Set(wanted));

    const events = await eventsOf(connection.db, 'mixed');
    expect(events).toHaveLength(1);
    expect(events[0]?.details).toMatchObject({ rows: 14, rejected: 1, tooLong: 1, heldOut: 2 });
    expect(events[0]?.message).toBe(
      'warm start: 10 of 14 rows of mixed.json; left out: 1 not usable, 1 too long, 2 held out',
    );
  });

  it('shows the same to every slice, also when the file has changed or gone', async () => {
    const file = await fileOf('fleeting.json', SAMPLES.map(row));
    const run = await runWith('fleeting', file);
    const before = await promptsOf(run);
    await writeFile(file, JSON.stringify(SAMPLES.slice(4, 6).map(row)));
    expect(await promptsOf(run)).toEqual(before);
    await rm(file);
    expect(await promptsOf(run)).toEqual(before);
    expect(await eventsOf(connection.db, 'fleeting')).toHaveLength(1);
  });

  it('refuses a file of which nothing can be shown, in one line', async () => {
    const file = await fileOf('held-out.json', SAMPLES.slice(0, 2).map(row));
    const run = await runWith('nothing', file);
    await expect(promptsOf(run)).rejects.toMatchObject({
      code: 'dataset',
      message: expect.stringMatching(/^[^\n]*none of the 2 rows[^\n]*2 are held out[^\n]*$/),
    });
    expect(await eventsOf(connection.db, 'nothing')).toHaveLength(0);
  });
});
