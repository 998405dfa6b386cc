import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { jsonRows, type RawRow } from '../../datasets/json-rows.ts';
import { MAX_ROW_BYTES, RowSplitter } from '../../datasets/row-splitter.ts';

const folder = mkdtempSync(join(tmpdir(), 'toolsample-rows-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Rows as texts, the file being read in pieces of so many bytes. */
function split(text: string, size: number): [number, string | null][] {
  const splitter = new RowSplitter('file');
  const bytes = Buffer.from(text);
  const rows: [number, string | null][] = [];
  const take = (found: ReturnType<RowSplitter['end']>): void => {
    for (const { row, bytes: part } of found) {
      rows.push([row, part === null ? null : Buffer.from(part).toString()]);
    }
  };
  for (let at = 0; at < bytes.length; at += size) {
    take(splitter.push(bytes.subarray(at, at + size)));
  }
  take(splitter.end());
  return rows;
}

const VALUES = [
  { a: 'x, [y] "z" \\ \\" ]', b: [1, [2, {}]] },
  {},
  { ü: '🤖]\\\\' },
  [['"']],
  'text, more',
  -1.5,
];

describe('the rows of a file', () => {
  test.each([1, 2, 3, 7, 1000])('are found in pieces of %i bytes', (size) => {
    const list = JSON.stringify(VALUES, null, 1);
    expect(split(`\ufeff \n${list}\n`, size)).toHaveLength(VALUES.length);
    expect(split(list, size).map(([, text]) => JSON.parse(text ?? '') as unknown)).toEqual(VALUES);
    const lines = `\n{"a": "\\n]"}\r\n\n{"b": 1}\n{"c`;
    expect(split(lines, size)).toEqual([
      [2, '{"a": "\\n]"}\r'],
      [4, '{"b": 1}'],
      [5, '{"c'],
    ]);
    expect(split('[]', size)).toEqual([]);
    expect(split('[1,]', size)).toEqual([
      [1, '1'],
      [2, ''],
    ]);
  });

  test.each([
    ['', /the file is empty/u],
    [' \n', /the file is empty/u],
    ['hello', /begins with neither/u],
    ['[1, 2', /row 2: is not JSON \(it ends in the middle/u],
    ['["a', /middle of a value/u],
    ['[1] 2', /more follows/u],
    ['[1, "\0"]', /NUL byte at offset 5/u],
    ['ÿþ', /neither parquet nor UTF-8/u],
  ])('are refused where there are none: %j', (text, problem) => {
    for (const size of [1, 100]) expect(() => split(text, size)).toThrow(problem);
  });
});

async function all(path: string): Promise<RawRow[]> {
  const rows: RawRow[] = [];
  for await (const row of jsonRows(path)) rows.push(row);
  return rows;
}

describe('a file of JSON', () => {
  test('leaves out rows that are too large, too deep or no text, and goes on', async () => {
    const path = join(folder, 'bad.jsonl');
    const deep = `{"a":${'['.repeat(101)}${']'.repeat(101)}}`;
    const many = `{"a":[${'1,'.repeat(1_000_001)}1]}`;
    writeFileSync(path, '{}\n');
    const handle = await open(path, 'a');
    await handle.appendFile(`{"a":"${'x'.repeat(MAX_ROW_BYTES)}"}\n{}\n${deep}\n${many}\n`);
    await handle.appendFile(Buffer.from([0x7b, 0xff, 0x7d, 0x0a]));
    await handle.appendFile('{}');
    await handle.close();
    expect(await all(path)).toEqual([
      { row: 1, content: {} },
      { row: 2, problem: 'is longer than 64 MiB' },
      { row: 3, content: {} },
      { row: 4, problem: 'nests deeper than 100 levels' },
      { row: 5, problem: 'holds more than 1000000 JSON values' },
      { row: 6, problem: 'is not UTF-8 text' },
      { row: 7, content: {} },
    ]);
  });

  test.each(['list', 'lines'] as const)(
    'that is larger than memory is read in parts (%s)',
    async (form) => {
      const path = join(folder, `large-${form}`);
      const row = JSON.stringify({ text: 'x'.repeat(100_000) });
      const [open_, between, close] = form === 'list' ? ['[', ',\n', ']'] : ['', '\n', '\n'];
      const handle = await open(path, 'w');
      await handle.write(open_);
      const part = Array.from({ length: 100 }, () => row).join(between);
      for (let i = 0; i < 15; i++) await handle.write(`${i === 0 ? '' : between}${part}`);
      await handle.write(close);
      await handle.close();
      const before = process.memoryUsage().rss;
      let rows = 0;
      let most = 0;
      for await (const _row of jsonRows(path)) {
        if (++rows % 100 === 0) most = Math.max(most, process.memoryUsage().rss - before);
      }
      // The file has 150 MB.
      expect(rows).toBe(1500);
      expect(most).toBeLessThan(100e6);
    },
  );
});
