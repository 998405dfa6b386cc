import { env } from 'onnxruntime-node';
import type { Device, DeviceChoice } from '../../contracts/config.ts';
import { DEVICE_NEEDS } from '../../contracts/device-needs.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { createGraph, input, output } from './graph.ts';
import { neg } from './operations.ts';
import { floats, openSession } from './session.ts';

/**
 * The device that this choice means on this machine, tried with a graph of one node. `auto` is CUDA where that opens, else the CPU.
 * @throws ToolsampleError `config` when it does not open: why, and what to install.
 */
export async function openDevice(choice: DeviceChoice): Promise<Device> {
  if (choice === 'cpu') return choice;
  // ONNX Runtime would print several lines of its own about what the error says.
  env.logLevel = 'fatal';
  const device = choice === 'auto' ? 'cuda' : choice;
  try {
    await tryDevice(device);
    return device;
  } catch (error) {
    if (choice === 'auto') return 'cpu';
    throw new ToolsampleError('config', `${device} does not open: ${reason(error)}`, {
      at: { field: 'device' },
      hint: `it takes ${DEVICE_NEEDS[device]}; or use device "cpu"`,
      cause: error,
    });
  }
}

async function tryDevice(device: Device): Promise<void> {
  const graph = createGraph();
  output(neg(input(graph, 'x', 'float32', [1])), 'y');
  const session = await openSession(graph, { device, threads: 1 });
  try {
    await session.run({ x: floats(Float32Array.of(1), [1]) }, ['y']);
  } finally {
    await session.release();
  }
}

/** ONNX Runtime's reason in one line, without the place in its sources. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.trim().replaceAll(/\s+/g, ' ');
  return line.replace(/^\/\S+ .* was false\. /, '');
}
