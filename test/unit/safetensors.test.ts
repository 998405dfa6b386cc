import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ToolsampleError } from '../../contracts/errors.ts';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
} from '../../policy/checkpoint/float-formats.ts';
import {
  openSafetensors,
  parseSafetensors,
  safetensorsBytes,
  writeSafetensors,
} from '../../policy/checkpoint/safetensors.ts';
import { streamSafetensors } from '../../policy/checkpoint/stream-safetensors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolsample-safetensors-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const tensors = [
  { name: 'a', shape: [2, 2], data: Float32Array.of(1, -2, 0.5, 3e8) },
  { name: 'ids', shape: [3], data: Int32Array.of(7, -1, 49151) },
  { name: 'b', shape: [2], data: Float32Array.of(1.00390625, -0.2), dtype: 'BF16' as const },
];

/** A file with a header of our own making and `body` zero bytes. */
function crafted(header: unknown, body = 16): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(body)]);
}
const entry = (offsets: unknown, shape: unknown = [4], dtype: unknown = 'F32'): object => ({
  dtype,
  shape,
  data_offsets: offsets,
});

/** The number of these bits, and the next one. */
const neighbours = (bits: number): number[] => {
  const numbers = new Float32Array(2);
  bfloat16ToFloat32(Uint16Array.of(bits, bits + 1), numbers);
  return [...numbers];
};

describe('safetensors', () => {
  it('gives back what was written, from memory and from a file', async () => {
    const path = join(folder, 'round.safetensors');
    await writeSafetensors(path, tensors, { step: '3' });
    const reader = await openSafetensors(path);
    expect(reader.header.metadata).toEqual({ step: '3' });
    const a = await reader.read('a');
    await reader.close();
    expect(a).toEqual({ shape: [2, 2], data: tensors[0]!.data });
    const all = parseSafetensors(safetensorsBytes(tensors), 'memory');
    expect(all.get('ids')!.data).toEqual(tensors[1]!.data);
    // bfloat16 has 8 significant bits: 1 + 1/256 is a tie and goes to even.
    expect(all.get('b')!.data[0]).toBe(1);
    expect(all.get('b')!.data[1]).toBeCloseTo(-0.2, 3);
  });

  it('reads every half-precision number as IEEE 754 defines it', () => {
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8001, 0x7bff, 0x7c00, 0x03ff, 0x3555);
    const out = new Float32Array(bits.length);
    float16ToFloat32(bits, out);
    expect(Array.from(out.subarray(0, 7))).toEqual([
      1,
      -2,
      2 ** -24,
      -(2 ** -24),
      65504,
      Infinity,
      1023 * 2 ** -24,
    ]);
    expect(out[7]).toBe(1365 / 4096);
  });

  it('keeps every bfloat16 number through fp32 and back', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
      (x) => (x & 0x7f80) !== 0x7f80,
    );
    const numbers = new Float32Array(bits.length);
    bfloat16ToFloat32(bits, numbers);
    expect(Buffer.from(float32ToBfloat16(numbers).buffer).equals(Buffer.from(bits.buffer))).toBe(
      true,
    );
  });

  it('rounds to the nearest bfloat16, ties to even', () => {
    // Below the largest numbers, whose upper neighbour is infinite.
    const word = fc.integer({ min: 0, max: 0x7f00_ffff });
    fc.assert(
      fc.property(
        fc.oneof(
          word,
          word.map((x) => (x & ~0xffff) | 0x8000),
        ),
        fc.boolean(),
        (x, sign) => {
          const bits = sign ? x | 0x8000_0000 : x;
          const [value = 0] = new Float32Array(Uint32Array.of(bits).buffer);
          const lower = bits >>> 16;
          const [below = 0, above = 0] = neighbours(lower);
          const [down, up] = [Math.abs(value - below), Math.abs(above - value)];
          const expected = down < up || (down === up && lower % 2 === 0) ? lower : lower + 1;
          expect(float32ToBfloat16(Float32Array.of(value))[0]).toBe(expected);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('streams the bytes that it writes from memory', async () => {
    const [kept, streamed] = [join(folder, 'kept'), join(folder, 'streamed')];
    const numbers = [
      { name: 'a', shape: [2, 2], data: Float32Array.of(1, -2, 0.5, 3e8), dtype: 'F32' as const },
      { name: 'b', shape: [3], data: Float32Array.of(1.004, -0.2, 7), dtype: 'BF16' as const },
    ];
    await writeSafetensors(kept, numbers, { format: 'pt' });
    const lazy = numbers.map(({ data, ...tensor }) => ({ ...tensor, read: async () => data }));
    const { sha256 } = await streamSafetensors(streamed, lazy, { format: 'pt' });
    const bytes = await readFile(streamed);
    expect(bytes.equals(await readFile(kept))).toBe(true);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    const short = lazy.map((tensor) => ({ ...tensor, read: async () => Float32Array.of(1) }));
    await expect(streamSafetensors(streamed, short, {})).rejects.toThrow('a has 1 elements');
  });

  it.each([
    ['an empty file', new Uint8Array(0), /too short/],
    ['a huge header length', Buffer.alloc(32, 0xff), /header claims 18446744073709551615 bytes/],
    ['a header beyond the end', Buffer.from([0, 1, 0, 0, 0, 0, 0, 0, 123]), /cut off/],
    ['a header that is not JSON', crafted('{"a":'), /not valid JSON/],
    ['a header that is a list', crafted([1]), /not a JSON object/],
    ['a tensor cut off', crafted({ a: entry([0, 16]) }, 12), /field "a": cut off/],
    ['negative offsets', crafted({ a: entry([-16, 0]) }), /field "a": bad offsets/],
    ['fractional offsets', crafted({ a: entry([0.5, 16.5]) }), /bad offsets/],
    ['offsets in the wrong order', crafted({ a: entry([16, 0]) }), /bad offsets/],
    ['huge offsets', crafted({ a: entry([0, 1e300]) }), /bad offsets/],
    ['a shape that does not fit its bytes', crafted({ a: entry([0, 16], [5]) }), /needs 20 bytes/],
    ['a shape whose product overflows', crafted({ a: entry([0, 16], [1e15, 1e15]) }), /needs/],
    ['a negative size', crafted({ a: entry([0, 16], [-4]) }), /bad shape/],
    ['an unknown type', crafted({ a: entry([0, 16], [4], 'Q4_1') }), /unknown type "Q4_1"/],
    ['a null entry', crafted({ a: null }), /not an object/],
    [
      'overlapping tensors',
      crafted({ a: entry([0, 16]), b: entry([12, 16], [1]) }),
      /field "b": overlaps tensor "a"/,
    ],
  ])('refuses %s in one line', async (_what, bytes, message) => {
    const path = join(folder, 'hostile.safetensors');
    await writeFile(path, bytes);
    for (const attempt of [
      async () => openSafetensors(path),
      async () => parseSafetensors(bytes, 'hostile.safetensors'),
    ]) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ToolsampleError);
      expect((error as ToolsampleError).code).toBe('checkpoint');
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).not.toContain('\n');
    }
  });

  it('refuses types that it cannot read only when they are asked for', async () => {
    const path = join(folder, 'mixed.safetensors');
    await writeFile(path, crafted({ mask: entry([0, 16], [2], 'I64') }));
    const reader = await openSafetensors(path);
    await expect(reader.read('mask')).rejects.toThrow(/type I64 is not supported/);
    await expect(reader.read('gone')).rejects.toThrow(/field "gone": tensor is missing/);
    await reader.close();
  });
});
