import type { WeightTensor } from '../models/initial-weights.ts';
import { finiteNumbers, type OpenWeights } from './base-weights.ts';
import { checkpointError } from './safetensors-header.ts';
import { openSafetensors } from './safetensors.ts';

/** Tensors that a file has to hold. */
type ExpectedTensors = readonly { readonly name: string; readonly dims: readonly number[] }[];

/**
 * Opens a file of our own (trained weights, optimiser) and checks that it holds these tensors.
 * @param label what the file is, for messages.
 * @throws ToolsampleError `checkpoint` when one is missing or of another shape
 */
export async function openTensors(
  path: string,
  expected: ExpectedTensors,
  label: string,
): Promise<OpenWeights> {
  const reader = await openSafetensors(path, label);
  const close = async (): Promise<void> => reader.close();
  try {
    for (const { name, dims } of expected) {
      const shape = reader.header.entries.get(name)?.shape;
      if (shape === undefined) {
        throw checkpointError(label, 'tensor is missing', name, 'is the checkpoint complete?');
      }
      if (shape.join() === dims.join()) continue;
      throw checkpointError(
        label,
        `shape is [${shape.join(', ')}], expected [${dims.join(', ')}]`,
        name,
        'policy, trainMode and loraRank must be those of the run that wrote it',
      );
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async read(name) {
      const { shape, data } = await reader.read(name);
      return { dims: shape, data: finiteNumbers(data, name, label) };
    },
    close,
  };
}

/**
 * Reads named tensors of known shapes, as fp32, from a file of our own (trained weights, optimiser).
 * @param label what the file is, for messages.
 * @throws ToolsampleError `checkpoint` when one is missing, of another shape, NaN or infinite
 */
export async function loadTensors(
  path: string,
  expected: ExpectedTensors,
  label: string,
): Promise<Map<string, WeightTensor>> {
  const open = await openTensors(path, expected, label);
  try {
    const tensors = new Map<string, WeightTensor>();
    for (const { name } of expected) tensors.set(name, await open.read(name));
    return tensors;
  } finally {
    await open.close();
  }
}
