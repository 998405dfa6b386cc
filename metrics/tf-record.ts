import { crc32c } from './crc32c.ts';

const LENGTH_BYTES = 8;
const CHECKSUM_BYTES = 4;
/** Added to rotated checksums: a checksum of data that itself holds checksums would be weak. */
const MASK_DELTA = 0xa282ead8;

/** One record of a TFRecord file: length, its checksum, data, its checksum; all little-endian. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const head = LENGTH_BYTES + CHECKSUM_BYTES;
  const record = new Uint8Array(head + data.length + CHECKSUM_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(LENGTH_BYTES, maskedChecksum(record.subarray(0, LENGTH_BYTES)), true);
  record.set(data, head);
  view.setUint32(head + data.length, maskedChecksum(data), true);
  return record;
}

function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
