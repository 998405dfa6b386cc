// Decompresses the pages of parquet files. Plain JavaScript, as parquet-process.js is, for which it works.
import { brotliDecompressSync, unzipSync } from 'node:zlib';
import { snappyUncompress } from 'hyparquet';
import { decompressLz4, decompressLz4Raw, decompressZstd } from 'hyparquet-compressors';

/**
 * By codec: gives a page of this length, and fails or stops at more, whatever the input expands to. (Gzip and brotli are Node's own: the
 * package's brotli grows as far as its input wants.)
 *
 * @type {Readonly<Record<string, (input: Uint8Array, length: number) => Uint8Array>>}
 */
const DECOMPRESSORS = {
  SNAPPY: (input, length) => {
    const page = new Uint8Array(length);
    snappyUncompress(input, page);
    return page;
  },
  // Some writers leave out gzip's frame, and write zlib's.
  GZIP: (input, length) => unzipSync(input, { maxOutputLength: length }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: length }),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
  // Without a page to write to, it allocates what the input says.
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
};

/** @param {string | undefined} codec undefined: none that has a name */
export function canDecompress(codec) {
  return codec !== undefined && (codec === 'UNCOMPRESSED' || Object.hasOwn(DECOMPRESSORS, codec));
}

/**
 * Decompressors for the pages of one reading.
 *
 * @param {number} maxBytes of all its pages together, decompressed; a page that would be one too many is refused before it takes memory
 */
export function limitedDecompressors(maxBytes) {
  let left = maxBytes;
  return Object.fromEntries(
    Object.entries(DECOMPRESSORS).map(([codec, decompress]) => [
      codec,
      (/** @type {Uint8Array} */ input, /** @type {number} */ length) => {
        // Not the other way round: a page may claim what is no number at all.
        if (!(length >= 0 && length <= left)) {
          throw new Error(`they decompress to more than ${Math.floor(maxBytes / 2 ** 20)} MiB`);
        }
        left -= length;
        return length === 0 ? new Uint8Array() : decompress(input, length);
      },
    ]),
  );
}
