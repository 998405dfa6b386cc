import { mkdtemp, rm, symlink, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  openSafetensors,
  parseSafetensors,
  safetensorsBytes,
} from '../../policy/checkpoint/safetensors.ts';
import { fuzz, FUZZ_TIMEOUT, inTime } from './support/cases.ts';
import {
  broken,
  brokenBytes,
  hostileText,
  hostileValue,
  nestedText,
} from './support/hostile-json.ts';
import { refusing } from './support/typed-errors.ts';

const CODES = ['checkpoint'] as const;
const BODY = 32;
const VALID_HEADER = {
  __metadata__: { format: 'pt' },
  a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
  b: { dtype: 'BF16', shape: [4], data_offsets: [16, 24] },
  c: { dtype: 'I32', shape: [2], data_offsets: [24, 32] },
};
const VALID = safetensorsBytes([
  { name: 'a', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
  { name: 'ids', shape: [3], data: Int32Array.of(7, 8, 9) },
]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-fuzz-safetensors-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** A file whose header is this text, of the length that is claimed. */
function crafted(header: string, claimed = BigInt(Buffer.byteLength(header))): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed);
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(BODY)]);
}

/** What is accepted lies within the file, part by part. */
async function check(bytes: Uint8Array): Promise<boolean> {
  const tensors = await refusing(CODES, async () => inTime(() => parseSafetensors(bytes, 'file')));
  if (tensors === undefined) return false;
  let total = 0;
  for (const { shape, data } of tensors.values()) {
    expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
    total += data.length;
  }
  // BF16 doubles; no tensor may be counted twice.
  expect(total).toBeLessThanOrEqual(bytes.length);
  return true;
}

const entry = (begin: unknown, end: unknown, shape: unknown = [4]): string =>
  JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, end] });

describe('safetensors', { timeout: FUZZ_TIMEOUT }, () => {
  it('are read or refused, whatever the bytes are', async () => {
    await fuzz(fc.oneof(brokenBytes(VALID), fc.uint8Array({ maxLength: 64 })), async (bytes) => {
      await check(bytes);
    });
  });

  it('are read or refused, whatever the header says', async () => {
    const numbers = fc.oneof(
      fc.nat({ max: 40 }),
      fc.constantFrom(-1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64, 1e308),
    );
    const tensor = fc.record({
      dtype: fc.oneof(
        fc.constantFrom('F32', 'F16', 'BF16', 'I32', 'I64', 'F8_E4M3'),
        hostileText(),
      ),
      shape: fc.array(numbers, { maxLength: 9 }),
      data_offsets: fc.array(numbers, { minLength: 1, maxLength: 3 }),
    });
    const header = fc.oneof(
      broken(VALID_HEADER),
      fc.dictionary(hostileText(), fc.oneof(tensor, hostileValue()), { maxKeys: 5 }),
    );
    await fuzz(header, async (value) => {
      await check(crafted(JSON.stringify(value) ?? ''));
    });
  });

  it.each([
    0n,
    1n,
    2n ** 26n + 1n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 8n,
    2n ** 64n - 1n,
  ])('are refused with a header length of %d', async (length) => {
    expect(await check(crafted('{}', length))).toBe(false);
  });

  it('are read as they are when nothing is wrong', async () => {
    expect(await check(VALID)).toBe(true);
    expect(await check(crafted(JSON.stringify(VALID_HEADER)))).toBe(true);
  });

  it.each([
    ['overlapping tensors', `{"a": ${entry(0, 16)}, "b": ${entry(8, 24)}}`],
    ['one tensor within another', `{"a": ${entry(0, 32, [8])}, "b": ${entry(8, 12, [1])}}`],
    ['the same bytes twice', `{"a": ${entry(0, 16)}, "b": ${entry(0, 16)}}`],
    ['a negative offset', `{"a": ${entry(-16, 0)}}`],
    ['an end before the beginning', `{"a": ${entry(16, 0)}}`],
    ['an offset beyond all files', `{"a": ${entry(2 ** 53 - 17, 2 ** 53 - 1)}}`],
    ['sizes whose product overflows', `{"a": ${entry(0, 16, [2 ** 52, 2 ** 52])}}`],
    ['a name twice', `{"a": ${entry(0, 16)}, "a": ${entry(16, 32)}}`],
    ['a name twice, once escaped', `{"a": ${entry(0, 16)}, "\\u0061": ${entry(16, 32)}}`],
    ['a name of a million letters', `{"${'a'.repeat(1_000_000)}": ${entry(0, 16)}}`],
    ['a shape nested without end', `{"a": {"dtype": "F32", "shape": ${nestedText(100_000)}}}`],
    ['nothing but brackets', nestedText(1_000_000)],
    ['millions of empty lists', `[${'[],'.repeat(10_000_000)}[]]`],
  ])('are refused with %s', async (_what, header) => {
    expect(await check(crafted(header))).toBe(false);
  });

  it('are refused when the file is a folder or ends early', async () => {
    await mkdir(join(folder, 'a-folder.safetensors'));
    await symlink('a-folder.safetensors', join(folder, 'a-link.safetensors'));
    await writeFile(join(folder, 'short.safetensors'), VALID.subarray(0, 20));
    for (const name of ['a-folder', 'a-link', 'short']) {
      await expect(openSafetensors(join(folder, `${name}.safetensors`))).rejects.toMatchObject({
        code: 'checkpoint',
      });
    }
  });
});
