import type { WeightTensor } from '../models/initial-weights.ts';
import { finiteNumbers } from './base-weights.ts';
import { checkpointError } from './safetensors-header.ts';
import { openSafetensors } from './safetensors.ts';

/**
 * Reads named tensors of known shapes, as fp32, from a file of our own (trained weights, optimiser).
 * @param label what the file is, for messages.
 * @throws ToolsampleError `checkpoint` when one is missing, of another shape, NaN or infinite
 */
export async function loadTensors(
  path: string,
  specs: readonly { readonly name: string; readonly dims: readonly number[] }[],
  label: string,
): Promise<Map<string, WeightTensor>> {
  const reader = await openSafetensors(path, label);
  try {
    const tensors = new Map<string, WeightTensor>();
    for (const { name, dims } of specs) {
      const { shape, data } = await reader.read(name);
      if (shape.join() !== dims.join()) {
        throw checkpointError(
          label,
          `shape is [${shape.join(', ')}], expected [${dims.join(', ')}]`,
          name,
          'policy, trainMode and loraRank must be those of the run that wrote it',
        );
      }
      tensors.set(name, { dims, data: finiteNumbers(data, name, label) });
    }
    return tensors;
  } finally {
    await reader.close();
  }
}
