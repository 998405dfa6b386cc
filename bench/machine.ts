import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os';
import { env } from 'onnxruntime-node';

const GIB = 1024 ** 3;
/** Runnable processes, on average of the last minute, that disturb. */
const BUSY = 0.7;
const BUSY_WARNING =
  'The machine is busy. Peers spin while their threads wait for each other, and lose more by that than the product: ratios are too high.';

/** What the figures were measured on: processor, memory, versions, and how busy the machine is. */
export function describeMachine(): string[] {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const [load = 0] = loadavg();
  return [
    `${model}, ${availableParallelism()} cores, ${(totalmem() / GIB).toFixed(0)} GiB (${(freemem() / GIB).toFixed(0)} free), ${process.platform} ${process.arch}`,
    `Node ${process.versions.node}, ONNX Runtime ${env.versions.node ?? env.versions.common}, load ${load.toFixed(1)} before`,
    ...(load > BUSY ? [BUSY_WARNING] : []),
  ];
}

/** Flags of processors that multiply bf16: AVX-512 and AMX on x64, the extension of that name on arm64. */
const BF16_FLAGS = new Set(['avx512_bf16', 'amx_bf16', 'bf16']);

/** Whether the processor multiplies bf16; null: not known here. PyTorch emulates what it does not, far slower than fp32. */
export async function multipliesBf16(): Promise<boolean | null> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => null);
  return text === null ? null : hasBf16Flag(text);
}

/** Reads the flags of Linux's `/proc/cpuinfo`; null: it has none. */
export function hasBf16Flag(cpuinfo: string): boolean | null {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1];
  return flags === undefined ? null : flags.split(' ').some((flag) => BF16_FLAGS.has(flag));
}
