import { execFileSync } from 'node:child_process';
import { mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRejected, readSamples } from '../../datasets/dataset.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import {
  broken,
  brokenBytes,
  hostileText,
  hostileValue,
  nestedText,
} from './support/hostile-json.ts';
import { refusing } from './support/typed-errors.ts';

const CODES = ['dataset', 'not-found'] as const;
const OUTPUT =
  '<think>ok</think>\n<tool_call>\n{"name": "a", "parameters": {"b": 1}}\n</tool_call>';
const ROWS = Array.from({ length: 3 }, (_, i) => ({
  instruction: 'i',
  input: `${i}`,
  output: OUTPUT,
}));

/** A file takes a process. */
const PARQUET_SHARE = 0.05;

/** More than a reader may take for a small file. */
const MAX_GROWTH = 1e9;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-fuzz-data-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function read(content: string | Uint8Array): Promise<number | undefined> {
  const path = join(folder, 'data');
  await writeFile(path, content);
  return count(path);
}

/** Usable samples; undefined when the file is refused. */
async function count(path: string): Promise<number | undefined> {
  return refusing(CODES, async () =>
    inTime(async () => {
      let samples = 0;
      for await (const item of readSamples(path)) if (!isRejected(item)) samples++;
      return samples;
    }),
  );
}

function parquet(codec: 'SNAPPY' | 'UNCOMPRESSED'): Uint8Array {
  const columnData = (['instruction', 'input', 'output'] as const).map((name) => ({
    name,
    data: ROWS.map((row) => row[name]),
    type: 'STRING' as const,
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData, codec }));
}

describe('datasets', { timeout: FUZZ_TIMEOUT }, () => {
  it('of JSON are read or refused, whatever they hold', async () => {
    const texts = fc.oneof(
      broken(ROWS).map((value) => JSON.stringify(value)),
      fc.array(hostileValue()).map((value) => JSON.stringify(value)),
      hostileText(),
    );
    const bytes = brokenBytes(Buffer.from(JSON.stringify(ROWS)));
    await fuzz(fc.oneof(texts, bytes, fc.uint8Array()), async (content) => {
      await read(content);
    });
  });

  it.each(['SNAPPY', 'UNCOMPRESSED'] as const)(
    'of parquet (%s) are read or refused, whatever the bytes are',
    async (codec) => {
      const valid = parquet(codec);
      expect(await read(valid)).toBe(ROWS.length);
      const before = process.memoryUsage().rss;
      await fuzz(
        brokenBytes(valid),
        async (bytes) => {
          await read(bytes);
          expect(process.memoryUsage().rss - before).toBeLessThan(MAX_GROWTH);
        },
        PARQUET_SHARE,
      );
    },
  );

  it('of parquet that would be decoded for hours are refused', async () => {
    // Found by the test above, in the run of its seed 1: a page whose values are told to repeat without end.
    const endless = fileURLToPath(new URL('../fixtures/parquet/endless.parquet', import.meta.url));
    await expect(
      (async () => {
        for await (const _row of readSamples(endless));
      })(),
    ).rejects.toThrow(/takes longer than 10 s/);
  });

  it('of JSON that nests without end are refused, or their row is', async () => {
    for (const text of [
      nestedText(100_000),
      `[${nestedText(100_000)}]`,
      `[{"instruction": ${nestedText(100_000)}}]`,
      '['.repeat(1_000_000),
      `[[${'[],'.repeat(20_000_000)}[]]]`,
    ]) {
      expect(await read(text)).toBeUndefined();
    }
    const good = JSON.stringify(ROWS[0]);
    const call = `{"name": "a", "parameters": {"b": ${nestedText(100_000)}}}`;
    const deep = JSON.stringify({ ...ROWS[0], output: OUTPUT.replace(/\{.*\}/, call) });
    expect(await read(`[${good}, ${deep}, ${good}]`)).toBe(2);
  });

  it('with a line of 2 GB are refused before they are read', async () => {
    const path = join(folder, 'huge');
    const file = await open(path, 'w');
    await file.write('[{"instruction": "');
    await file.truncate(2 ** 31);
    await file.close();
    const before = process.memoryUsage().rss;
    expect(await count(path)).toBeUndefined();
    expect(process.memoryUsage().rss - before).toBeLessThan(1e8);
    await rm(path);
  });

  it('that are pipes or devices are refused', async () => {
    await symlink('/dev/zero', join(folder, 'device'));
    expect(await count(join(folder, 'device'))).toBeUndefined();
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await count(join(folder, 'pipe'))).toBeUndefined();
    // The rest of the test folder is as it was.
    expect((await readFile(join(folder, 'data'))).length).toBeGreaterThan(0);
  });
});
