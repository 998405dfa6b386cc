import { ToolsampleError } from '../contracts/errors.ts';
import {
  parseSafetensors,
  safetensorsBytes,
  type MemoryTensor,
} from '../policy/checkpoint/safetensors.ts';

/** One completion as token ids, the way the loss will see it. */
export interface RolloutTokens {
  /** The group, by order of the draw. */
  readonly rank: number;
  /** Number within the group, from 0. */
  readonly index: number;
  readonly promptIds: readonly number[];
  readonly completionIds: readonly number[];
  /** One per completion token. */
  readonly logprobs: readonly number[];
}

/**
 * The tokens of one rollout shard as safetensors: ragged lists are stored end to end with their offsets. Prompts are stored
 * once a group. Same rollouts, same bytes.
 */
export function encodeRollouts(rollouts: readonly RolloutTokens[]): Uint8Array {
  const prompts = new Map(rollouts.map(({ rank, promptIds }) => [rank, promptIds]));
  const completions = rollouts.map(({ completionIds }) => completionIds);
  return safetensorsBytes([
    integers('group_rank', [...prompts.keys()]),
    integers('prompt_ids', [...prompts.values()].flat()),
    integers('prompt_offsets', offsets([...prompts.values()])),
    integers(
      'rank',
      rollouts.map(({ rank }) => rank),
    ),
    integers(
      'index',
      rollouts.map(({ index }) => index),
    ),
    integers('completion_ids', completions.flat()),
    integers('completion_offsets', offsets(completions)),
    {
      name: 'logprobs',
      ...vector(Float32Array.from(rollouts.flatMap(({ logprobs }) => logprobs))),
    },
  ]);
}

/** Reads what {@link encodeRollouts} wrote. @throws ToolsampleError `corrupt-artifact`, `checkpoint` */
export function decodeRollouts(bytes: Uint8Array, label: string): RolloutTokens[] {
  const tensors = parseSafetensors(bytes, label);
  const read = (name: string): number[] => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw corrupt(label, name);
    return [...tensor.data];
  };

  const ranks = read('rank');
  const indices = read('index');
  const groups = read('group_rank');
  const prompts = slices(read('prompt_ids'), read('prompt_offsets'));
  const promptOf = new Map(prompts.map((ids, i) => [groups[i], ids]));
  const bounds = read('completion_offsets');
  const completions = slices(read('completion_ids'), bounds);
  const logprobs = slices(read('logprobs'), bounds);
  return ranks.map((rank, i) => {
    const promptIds = promptOf.get(rank);
    const completionIds = completions[i];
    const index = indices[i];
    const own = logprobs[i];
    if (promptIds === undefined || completionIds === undefined || index === undefined) {
      throw corrupt(label, 'rank');
    }
    if (own?.length !== completionIds.length) throw corrupt(label, 'logprobs');
    return { rank, index, promptIds, completionIds, logprobs: own };
  });
}

/** Cuts values that lie end to end. */
function slices(values: readonly number[], bounds: readonly number[]): number[][] {
  return bounds.slice(1).map((end, i) => values.slice(bounds[i], end));
}

function integers(name: string, values: readonly number[]): MemoryTensor & { name: string } {
  return { name, ...vector(Int32Array.from(values)) };
}

function vector(data: Int32Array | Float32Array): MemoryTensor {
  return { shape: [data.length], data };
}

function offsets(lists: readonly (readonly number[])[]): number[] {
  const bounds = [0];
  for (const list of lists) bounds.push((bounds.at(-1) ?? 0) + list.length);
  return bounds;
}

function corrupt(label: string, field: string): ToolsampleError {
  return new ToolsampleError(
    'corrupt-artifact',
    'does not hold the rollouts that its row promises',
    {
      at: { file: label, field },
      hint: 'was the artifact changed by hand?',
    },
  );
}
