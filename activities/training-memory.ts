import { byteSize } from '../contracts/byte-size.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { TrainingMemory } from '../contracts/policy.ts';
import { machineMemory } from '../services/machine-memory.ts';

/** What `auto` leaves to the rest of the machine: services, the page cache, other programs. */
const SHARE = 0.8;

/**
 * The setting `memory_limit` as the engine takes it. `auto` is a share of the memory that the machine has, or the container, not of
 * what is free: what is decided by it must not differ from one attempt to the next.
 * @throws ToolsampleError `config`
 */
export function trainingMemory(setting: string): TrainingMemory {
  if (setting === 'none') return { limit: null, strict: false, recompute: false };
  if (setting === 'auto') {
    return { limit: Math.floor(SHARE * machineMemory()), strict: false, recompute: false };
  }
  const bytes = byteSize(setting);
  if (bytes === null) {
    throw new ToolsampleError('config', `${setting} is not a size`, {
      at: { field: 'memory_limit' },
      hint: 'use auto, none, or a size such as 8GB',
    });
  }
  return { limit: bytes, strict: true, recompute: false };
}
