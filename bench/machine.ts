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
