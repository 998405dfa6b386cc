import { corruptArtifact, cut, decodeRagged, encodeRagged } from './ragged-lists.ts';

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

/** The tokens of one rollout shard as safetensors; prompts are stored once a group. Same rollouts, same bytes. */
export function encodeRollouts(rollouts: readonly RolloutTokens[]): Uint8Array {
  const prompts = new Map(rollouts.map(({ rank, promptIds }) => [rank, promptIds]));
  return encodeRagged({
    lists: {
      prompt_ids: [...prompts.values()],
      completion_ids: rollouts.map(({ completionIds }) => completionIds),
    },
    integers: {
      group_rank: [...prompts.keys()],
      rank: rollouts.map(({ rank }) => rank),
      index: rollouts.map(({ index }) => index),
    },
    numbers: { logprobs: rollouts.flatMap(({ logprobs }) => logprobs) },
  });
}

/** Reads what {@link encodeRollouts} wrote. @throws ToolsampleError `corrupt-artifact`, `checkpoint` */
export function decodeRollouts(bytes: Uint8Array, label: string): RolloutTokens[] {
  const artifact = decodeRagged(bytes, label);
  const groups = artifact.vector('group_rank');
  const promptOf = new Map(artifact.lists('prompt_ids').map((ids, i) => [groups[i], ids]));
  const indices = artifact.vector('index');
  const completions = artifact.lists('completion_ids');
  const logprobs = cut(artifact.vector('logprobs'), artifact.vector('completion_ids_offsets'));
  return artifact.vector('rank').map((rank, i) => {
    const promptIds = promptOf.get(rank);
    const completionIds = completions[i];
    const index = indices[i];
    const own = logprobs[i];
    if (promptIds === undefined || completionIds === undefined || index === undefined) {
      throw corruptArtifact(label, 'rank');
    }
    if (own?.length !== completionIds.length) throw corruptArtifact(label, 'logprobs');
    return { rank, index, promptIds, completionIds, logprobs: own };
  });
}
