import type { ArtifactRef } from '../contracts/artifacts.ts';
import type { ShardKey } from '../contracts/activities.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { recordEvent } from '../db/events.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { decodeRollouts, type RolloutTokens } from './rollout-artifact.ts';
import { sampleShard } from './sample-shard.ts';

/**
 * Tokens of a finished shard. An artifact that is damaged or gone is sampled again, and used only when it comes out the same to
 * the bit: scores and statistics are of the first.
 *
 * @throws ToolsampleError `corrupt-artifact`, `not-found` when it does not, as on another kind of machine
 */
export async function shardTokens(
  deps: ActivityDependencies,
  key: ShardKey,
  artifact: ArtifactRef,
): Promise<RolloutTokens[]> {
  return decodeRollouts(await content(deps, key, artifact), artifact.sha256);
}

async function content(
  deps: ActivityDependencies,
  key: ShardKey,
  artifact: ArtifactRef,
): Promise<Uint8Array> {
  const { db, artifacts } = deps;
  try {
    return await artifacts.get(artifact);
  } catch (error) {
    if (!isLost(error)) throw error;
    const { tokens } = await sampleShard(deps, key);
    const { sha256 } = await artifacts.put(tokens);
    if (sha256 !== artifact.sha256) throw error;
    const { run, step, round, shard } = key;
    await recordEvent(db, run, {
      event: `sampled-again/${step}/${round}/${shard}`,
      kind: 'sampled-again',
      step,
      message: `a rollout artifact was ${error.code === 'not-found' ? 'missing' : 'damaged'}; sampled again, the same to the bit. Check the disk`,
      details: { artifact: sha256 },
    });
    return tokens;
  }
}

function isLost(error: unknown): error is ToolsampleError {
  return (
    error instanceof ToolsampleError &&
    (error.code === 'corrupt-artifact' || error.code === 'not-found')
  );
}
