import { ToolsampleError } from '../../contracts/errors.ts';
import { jsonExtent } from '../../contracts/json-extent.ts';
import { inBrief } from './in-brief.ts';

/** Bytes of one element, for every type the format knows; a header may name types that we do not read. */
const ELEMENT_BYTES: ReadonlyMap<string, number> = new Map([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E5M2', 1],
  ['F8_E4M3', 1],
  ['I16', 2],
  ['U16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['I32', 4],
  ['U32', 4],
  ['F32', 4],
  ['F64', 8],
  ['I64', 8],
  ['U64', 8],
]);

/** A header of a million tensors fits; a hostile length field does not make us allocate more. */
const MAX_HEADER_BYTES = 64 * 1024 * 1024;
const MAX_RANK = 8;
/** A tensor's entry nests three levels deep and has some ten values. */
const MAX_JSON = { depth: 16, values: 8_000_000 } as const;
/** A longer name is not one of a tensor's, and messages repeat it. */
const MAX_NAME = 1000;

export interface TensorEntry {
  readonly name: string;
  /** As in the file: `F32`, `BF16`, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** First byte, counted from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsHeader {
  /** In the file's order of offsets. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: { readonly [key: string]: string };
}

/** What is wrong with a safetensors file, as one line. */
export function checkpointError(
  file: string,
  problem: string,
  field?: string,
  hint = 'the file is damaged or not in safetensors format: fetch or export it again',
): ToolsampleError {
  return new ToolsampleError('checkpoint', problem, {
    at: field === undefined ? { file } : { file, field },
    hint,
  });
}

/**
 * Length of the JSON header that follows the first 8 bytes, checked against the file's size.
 * @throws ToolsampleError `checkpoint`
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.length < 8) {
    throw checkpointError(file, `only ${fileBytes} bytes long, too short for safetensors`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES) || length < 2n) {
    throw checkpointError(file, `header claims ${length} bytes (limit ${MAX_HEADER_BYTES})`);
  }
  if (Number(length) + 8 > fileBytes) {
    throw checkpointError(
      file,
      `cut off: the header alone needs ${Number(length) + 8} bytes, the file has ${fileBytes}`,
    );
  }
  return Number(length);
}

/**
 * Reads and checks the JSON header: every tensor lies inside the file, has as many bytes as its shape needs, and overlaps no other.
 * @throws ToolsampleError `checkpoint`
 */
export function parseHeader(json: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const parsed = parseHeaderText(json, file);
  const start = 8 + json.length;
  const entries: TensorEntry[] = [];
  let metadata: { readonly [key: string]: string } = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') {
      if (!isRecord(value)) throw checkpointError(file, '__metadata__ is not an object');
      metadata = Object.fromEntries(
        Object.entries(value).filter(
          (pair): pair is [string, string] => typeof pair[1] === 'string',
        ),
      );
    } else {
      entries.push(parseEntry(name, value, start, fileBytes, file));
    }
  }
  entries.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  for (let i = 1; i < entries.length; i++) {
    const before = entries[i - 1]!;
    if (before.offset + before.bytes > entries[i]!.offset) {
      throw checkpointError(file, `overlaps tensor "${before.name}"`, entries[i]!.name);
    }
  }
  return { entries: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

function parseHeaderText(json: Uint8Array, file: string): Record<string, unknown> {
  let parsed: unknown;
  let members: number;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    const extent = jsonExtent(text);
    if (extent.depth > MAX_JSON.depth || extent.values > MAX_JSON.values) {
      throw checkpointError(file, 'header nests too deep or holds too many values');
    }
    members = extent.members;
    parsed = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof ToolsampleError) throw cause;
    throw new ToolsampleError('checkpoint', 'header is not valid JSON', { at: { file }, cause });
  }
  if (!isRecord(parsed)) throw checkpointError(file, 'header is not a JSON object');
  if (Object.keys(parsed).length !== members) {
    throw checkpointError(file, 'header names a tensor twice');
  }
  return parsed;
}

function parseEntry(
  name: string,
  value: unknown,
  start: number,
  fileBytes: number,
  file: string,
): TensorEntry {
  if (name.length > MAX_NAME) {
    throw checkpointError(file, `a tensor's name is longer than ${MAX_NAME} characters`);
  }
  if (!isRecord(value)) throw checkpointError(file, 'tensor entry is not an object', name);
  const { dtype, shape, data_offsets: offsets } = value;
  const width = typeof dtype === 'string' ? ELEMENT_BYTES.get(dtype) : undefined;
  if (typeof dtype !== 'string' || width === undefined) {
    throw checkpointError(file, `unknown type ${inBrief(dtype)}`, name);
  }
  if (!isCounts(shape) || shape.length > MAX_RANK) {
    throw checkpointError(file, `bad shape ${inBrief(shape)}`, name);
  }
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw checkpointError(file, `bad offsets ${inBrief(offsets)}`, name);
  }
  const [begin, end] = [offsets[0]!, offsets[1]!];
  if (start + end > fileBytes) {
    throw checkpointError(
      file,
      `cut off: this tensor ends at byte ${start + end}, the file has ${fileBytes}`,
      name,
    );
  }
  const bytes = shape.reduce((product, size) => product * size, width);
  if (bytes !== end - begin) {
    throw checkpointError(
      file,
      `shape [${shape.join(', ')}] needs ${bytes} bytes, the offsets span ${end - begin}`,
      name,
    );
  }
  return { name, dtype, shape, offset: start + begin, bytes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
