import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { folderName } from '../../services/own-places.ts';
import { encodeRagged } from '../../activities/ragged-lists.ts';
import {
  decodeRollouts,
  encodeRollouts,
  type RolloutTokens,
} from '../../activities/rollout-artifact.ts';
import { ToolsampleError } from '../../contracts/errors.ts';

const id = fc.integer({ min: 0, max: 200_000 });
const logprob = fc.float({ min: -50, max: 0, noNaN: true }).map(Math.fround);

/** Groups with one prompt each, and their completions. */
const shard = fc
  .array(
    fc.record({
      promptIds: fc.array(id, { maxLength: 20 }),
      completions: fc.array(fc.array(fc.tuple(id, logprob), { maxLength: 12 }), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
    { maxLength: 5 },
  )
  .map((groups) =>
    groups.flatMap(({ promptIds, completions }, rank) =>
      completions.map((tokens, index): RolloutTokens => ({
        rank,
        index,
        promptIds,
        completionIds: tokens.map(([token]) => token),
        logprobs: tokens.map(([, value]) => value),
      })),
    ),
  );

describe('rollout artifact', () => {
  it('gives back what was stored, from bytes that depend on the content alone', () => {
    fc.assert(
      fc.property(shard, (rollouts) => {
        const bytes = encodeRollouts(rollouts);
        expect(decodeRollouts(bytes, 'shard')).toEqual(rollouts);
        expect(Buffer.from(encodeRollouts(structuredClone(rollouts))).equals(bytes)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('stores a prompt once a group', () => {
    const one = { promptIds: [1, 2, 3], completionIds: [4], logprobs: [-1] };
    const two = [0, 1].map((index) => ({ ...one, rank: 7, index }));
    const bytes = encodeRollouts(two).length - encodeRollouts(two.slice(0, 1)).length;
    // rank, index, token, log-probability and one offset, 4 bytes each; the header may be padded.
    expect(bytes).toBeLessThan(5 * 4 + 16);
  });

  it('refuses an artifact that does not hold together', () => {
    const missing = encodeRagged({
      lists: { prompt_ids: [[1]], completion_ids: [[2, 3]] },
      integers: { group_rank: [0], rank: [1], index: [0] },
      numbers: { logprobs: [-1, -1] },
    });
    expect(() => decodeRollouts(missing, 'shard')).toThrow(ToolsampleError);
    const short = encodeRagged({
      lists: { prompt_ids: [[1]], completion_ids: [[2, 3]] },
      integers: { group_rank: [0], rank: [0], index: [0] },
      numbers: { logprobs: [-1] },
    });
    expect(() => decodeRollouts(short, 'shard')).toThrow(/field "logprobs"/);
    expect(() =>
      decodeRollouts(encodeRagged({ lists: {}, integers: {}, numbers: {} }), 'x'),
    ).toThrow(ToolsampleError);
  });
});

describe('folderName', () => {
  it('keeps plain ids', () => {
    expect(folderName('dscl-20261124-093015')).toBe('dscl-20261124-093015');
  });

  it('leads nowhere else, and to different folders for different ids', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (a, b) => {
        const [first, second] = [folderName(a), folderName(b)];
        expect(first).toMatch(/^[\w~-][\w.~-]*$/);
        expect(first.length).toBeLessThanOrEqual(100);
        if (a !== b) expect(first).not.toBe(second);
      }),
    );
    for (const id of ['..', '.', '../../etc', 'a/b', '/abs', '']) {
      expect(folderName(id)).not.toMatch(/^\.|[/\\]/);
    }
  });
});
