import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Decoder, DecodeRequest } from '../../contracts/decoding.ts';
import { BUILTIN_POLICY } from '../../policy/checkpoint/builtin-policy.ts';
import { createDecoder } from '../../policy/engine/create-decoder.ts';
import { folderPolicy } from '../../policy/engine/policy-files.ts';

let decoder: Decoder;
beforeAll(async () => {
  decoder = createDecoder({ ...(await folderPolicy(BUILTIN_POLICY)), rows: 4, threads: 1 });
});
afterAll(async () => {
  await decoder.close();
});

const SAMPLING = { temperature: 1, topP: 1, maxNewTokens: 20 };
const request = (ids: number[]): DecodeRequest => ({
  ids,
  seeds: [1],
  sampling: SAMPLING,
  topLogprobs: 0,
});

async function complete(asked: DecodeRequest): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const ids: number[] = [];
    decoder.decode(asked, {
      onFailure: reject,
      onTokens: (tokens) => {
        for (const { id, finishReason } of tokens) {
          ids.push(id);
          if (finishReason !== null) resolve(ids);
        }
      },
    });
  });
}

it('tells what it has room for', async () => {
  expect(await decoder.ready()).toEqual({ contextLength: 256 });
});

it('fails a request that cannot be computed, and goes on with those beside it', async () => {
  const expected = await complete(request([2, 30, 3]));
  const [before, failed, after] = await Promise.allSettled([
    complete(request([2, 30, 3])),
    // No token: looking it up fails.
    complete(request([2, 1_000_000, 3])),
    complete(request([2, 30, 3])),
  ]);
  expect(failed).toMatchObject({
    reason: { message: expect.stringMatching(/out of data bounds/) as unknown },
  });
  expect(before).toEqual({ status: 'fulfilled', value: expected });
  expect(after).toEqual({ status: 'fulfilled', value: expected });
});
