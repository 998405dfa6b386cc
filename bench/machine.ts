import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os';
import { env } from 'onnxruntime-node';

const GIB = 1024 ** 3;

/** What the figures were measured on: processor, memory, versions, and how busy the machine is. */
export function describeMachine(): string[] {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const [load = 0] = loadavg();
  return [
    `${model}, ${availableParallelism()} cores, ${(totalmem() / GIB).toFixed(0)} GiB (${(freemem() / GIB).toFixed(0)} free), ${process.platform} ${process.arch}`,
    `Node ${process.versions.node}, ONNX Runtime ${env.versions.node ?? env.versions.common}, load ${load.toFixed(1)} before`,
  ];
}
