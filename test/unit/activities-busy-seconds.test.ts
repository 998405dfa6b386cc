import { describe, expect, it } from 'vitest';
import { busySeconds } from '../../activities/busy-seconds.ts';
import { stepMetrics } from '../../activities/step-metrics.ts';

/** A piece that ended so many seconds after the others' common beginning. */
function piece(end: number, seconds: number) {
  return { committedAt: new Date(1_800_000_000_000 + end * 1000), seconds };
}

describe('the seconds of a step’s pieces', () => {
  it.each([
    ['none', [], 0],
    ['one after the other', [piece(2, 2), piece(4, 2), piece(6.5, 2.5)], 6.5],
    ['side by side', [piece(4, 4), piece(4, 4), piece(3, 2)], 4],
    ['partly side by side', [piece(5, 2), piece(4, 4)], 5],
    ['with a worker lost in between', [piece(2, 2), piece(17, 3)], 5],
  ])('%s', (_, pieces, seconds) => {
    expect(busySeconds(pieces)).toBeCloseTo(seconds, 6);
    expect(busySeconds(pieces.toReversed())).toBeCloseTo(seconds, 6);
  });

  it('are those of its rollouts', () => {
    const shard = {
      round: 0,
      artifact: { sha256: 'a'.repeat(64), bytes: 1 },
      completions: 8,
      generatedTokens: 100,
    };
    const metrics = stepMetrics({
      rollouts: [],
      groups: [],
      ranges: new Map(),
      shards: [
        { ...shard, shard: 0, ...piece(4, 4) },
        { ...shard, shard: 1, ...piece(5, 4) },
      ],
    });
    expect(metrics.rolloutSeconds).toBeCloseTo(5, 6);
  });
});
