import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, describe, expect, test } from 'vitest';
import { limitedDecompressors } from '../../datasets/parquet-codecs.js';
import { openParquet } from '../../datasets/parquet-reader.ts';
import { readAll } from './support/read-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'toolsample-parquet-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

type Compress = (bytes: Uint8Array) => Uint8Array;

const QUERIES = ['high water in Kiel?', 'in Wismar?'];
const COLUMNS = {
  query: QUERIES,
  answers: QUERIES.map(() => '[{"name": "tide_table", "arguments": {}}]'),
  tools: QUERIES.map(() => '[{"name": "tide_table"}]'),
};

let written = 0;
function parquet(codec: CompressionCodec, compress: Compress, columns: object = COLUMNS): string {
  const filename = join(folder, `${++written}.parquet`);
  parquetWriteFile({
    filename,
    codec,
    compressors: { [codec]: compress },
    columnData: Object.entries(columns).map(([name, data]) => ({
      name,
      data: data as string[],
      type: 'STRING',
    })),
  });
  return filename;
}

/** One sequence of LZ4 that is literals alone. */
const lz4: Compress = (bytes) => {
  const lengths: number[] = [];
  for (let left = bytes.length - 15; left >= 0; left -= 255) lengths.push(Math.min(left, 255));
  return Uint8Array.of(Math.min(bytes.length, 15) << 4, ...lengths, ...bytes);
};

/** As Hadoop frames it: both lengths before the block. */
const hadoop: Compress = (bytes) => {
  const block = lz4(bytes);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(bytes.length, 0);
  lengths.writeUInt32BE(block.length, 4);
  return Buffer.concat([lengths, block]);
};

/** A frame of a window of 2 GiB whose blocks say: a byte, two million times. */
const zstdBomb = (blocks: number): Uint8Array =>
  Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0]),
    ...Array.from({ length: blocks }, (_, i) => {
      const size = 2 ** 21 - 1;
      const header = (size << 3) | (1 << 1) | (i === blocks - 1 ? 1 : 0);
      return Buffer.from([header & 255, (header >> 8) & 255, (header >> 16) & 255, 0x61]);
    }),
  ]);

/** Of a schema: what has members. */
const group = (name: string, num_children: number) =>
  ({ name, repetition_type: 'OPTIONAL', num_children }) as const;

const ZEROS = new Uint8Array(2 ** 26);

describe('parquet', () => {
  test.each<[string, CompressionCodec, Compress]>([
    ['gzip', 'GZIP', (bytes) => gzipSync(bytes)],
    ['zlib', 'GZIP', (bytes) => deflateSync(bytes)],
    ['brotli', 'BROTLI', (bytes) => brotliCompressSync(bytes)],
    ['lz4', 'LZ4_RAW', lz4],
    ["Hadoop's lz4", 'LZ4', hadoop],
  ])('is read that is compressed with %s', async (_name, codec, compress) => {
    const { samples, rejected } = await readAll(parquet(codec, compress));
    expect(rejected).toEqual([]);
    expect(samples.map(({ messages }) => messages.at(-1)?.content)).toEqual(QUERIES);
  });

  test('is read that zstd compressed, in matches and over several blocks', async () => {
    // Written with `zstd -19`: Node has it since its version 22.15.
    const path = fileURLToPath(new URL('../fixtures/parquet/zstd.parquet', import.meta.url));
    const { samples, rejected } = await readAll(path);
    expect(rejected).toEqual([]);
    expect(samples.map(({ messages }) => messages.at(-1)?.content)).toEqual(
      Array.from(
        { length: 2000 },
        (_, i) =>
          `When is high water in harbour ${i}, and what is the berth fee for ${(i * 7919) % 1000} metres?`,
      ),
    );
  });

  test('has no values where Arrow filled in those of other tools', async () => {
    const text = {
      type: 'BYTE_ARRAY',
      converted_type: 'UTF8',
      repetition_type: 'OPTIONAL',
    } as const;
    const list = (name: string, element: number) =>
      [
        { ...group(name, 1), converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...(element === 0 ? [] : [group('element', element)]),
      ] as const;
    const parameter = (name: string) => [
      group(name, 3),
      ...['type', 'description', 'default'].map((each) => ({ name: each, ...text })),
    ];
    // As `datasets` writes xLAM's rows, once answers and tools are no texts.
    const filename = join(folder, 'structs.parquet');
    const harbour = { type: 'str', description: 'Name', default: null };
    const length = { type: 'float, optional', description: null, default: null };
    parquetWriteFile({
      filename,
      schema: [
        { name: 'schema', num_children: 3 },
        { name: 'query', ...text },
        ...list('answers', 2),
        { name: 'name', ...text },
        group('arguments', 3),
        { name: 'harbour', ...text },
        { name: 'length', type: 'DOUBLE', repetition_type: 'OPTIONAL' },
        ...list('marks', 0),
        { name: 'element', ...text },
        ...list('tools', 3),
        { name: 'name', ...text },
        { name: 'description', ...text },
        group('parameters', 2),
        ...parameter('harbour'),
        ...parameter('length'),
      ],
      columnData: [
        { name: 'query', data: ['When is high water in Kiel, and what are 9 metres?'] },
        {
          name: 'answers',
          data: [
            [
              {
                name: 'tide_table',
                arguments: { harbour: 'Kiel', length: null, marks: ['a', null] },
              },
              { name: 'berth_fee', arguments: { harbour: null, length: 9, marks: null } },
            ],
          ],
        },
        {
          name: 'tools',
          data: [
            [
              { name: 'tide_table', description: 'Tides', parameters: { harbour, length: null } },
              { name: 'berth_fee', description: null, parameters: { harbour: null, length } },
            ],
          ],
        },
      ],
    });
    const { samples, rejected } = await readAll(filename);
    expect(rejected).toEqual([]);
    expect(samples[0]?.groundTruth).toBe(
      '<think></think>\n<tool_call>\n' +
        '{"name": "tide_table", "parameters": {"harbour": "Kiel", "marks": ["a", null]}}\n' +
        '{"name": "berth_fee", "parameters": {"length": 9}}\n</tool_call>',
    );
    const properties = { harbour: { type: 'string', description: 'Name' } };
    expect(samples[0]?.tools).toEqual([
      {
        name: 'tide_table',
        description: 'Tides',
        parameters: { type: 'object', properties, required: ['harbour'] },
      },
      {
        name: 'berth_fee',
        description: '',
        parameters: { type: 'object', properties: { length: { type: 'number' } }, required: [] },
      },
    ]);
  });

  test('of another codec is refused by its name, unless the column is not read', async () => {
    const lzo = parquet('LZO', (bytes) => bytes);
    await expect(readAll(lzo)).rejects.toThrow(
      /column query compressed with LZO, which cannot be read — write it with snappy, gzip/u,
    );
    const filename = join(folder, 'unread.parquet');
    parquetWriteFile({
      filename,
      compressors: { LZO: (bytes) => bytes },
      columnData: Object.entries({ ...COLUMNS, notes: ['a', 'b'] }).map(([name, data]) => ({
        name,
        data,
        type: 'STRING',
        codec: name === 'notes' ? 'LZO' : 'UNCOMPRESSED',
      })),
    });
    expect((await readAll(filename)).samples).toHaveLength(2);
  });

  test.each<[CompressionCodec, Uint8Array]>([
    ['GZIP', gzipSync(ZEROS)],
    ['BROTLI', brotliCompressSync(ZEROS)],
    ['ZSTD', zstdBomb(2000)],
  ])('of %s takes no more memory than a page says it has', (codec, bomb) => {
    const before = process.memoryUsage().arrayBuffers;
    try {
      expect(limitedDecompressors(2 ** 30)[codec]?.(bomb, 100)).toHaveLength(100);
    } catch (error) {
      expect(String(error)).toMatch(/larger than 100 bytes/u);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  test('is refused where its pages say that they have more than they may', async () => {
    const path = parquet('GZIP', (bytes) => gzipSync(bytes), { query: ['x'.repeat(3e6), 'y'] });
    const reader = openParquet(path);
    try {
      await reader.contents();
      const group = { start: 0, end: 2, bytes: 1000 };
      const rows = async (maxBytes: number) => reader.rows(['query'], { ...group, maxBytes });
      await expect(rows(2 ** 21)).rejects.toThrow('they decompress to more than 2 MiB');
      expect(await rows(2 ** 22)).toHaveLength(2);
    } finally {
      reader.close();
    }
    const [decompress] = Object.values(limitedDecompressors(2 ** 20));
    for (const length of [NaN, -1, 2 ** 31]) {
      expect(() => decompress?.(new Uint8Array(4), length)).toThrow(/more than 1 MiB/u);
    }
  });
});
