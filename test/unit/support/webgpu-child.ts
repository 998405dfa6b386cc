import { ToolsampleError } from '../../../contracts/errors.ts';
import { openDevice } from '../../../policy/graph/devices.ts';
import type { Placement } from '../../../policy/graph/placement.ts';
import { computeOn } from './device-computation.ts';

/** Computes on WebGPU and prints the numbers: a process of its own, as a driver that crashes takes its process along. */

try {
  await openDevice('webgpu');
  const placements = new Map<string, Placement>();
  const computed = await computeOn({ device: 'webgpu', threads: 1, placements });
  const answer = { computed, placements: Object.fromEntries(placements) };
  process.stdout.write(JSON.stringify(answer));
} catch (error) {
  if (!(error instanceof ToolsampleError)) throw error;
  process.stdout.write(JSON.stringify({ unavailable: error.message }));
}
