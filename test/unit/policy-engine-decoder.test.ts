import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DecodedToken, Decoder, DecodeRequest } from '../../contracts/decoding.ts';
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

async function decode(asked: DecodeRequest, by = decoder): Promise<DecodedToken[]> {
  return new Promise((resolve, reject) => {
    const made: DecodedToken[] = [];
    by.decode(asked, {
      onFailure: reject,
      onTokens: (tokens) => {
        made.push(...tokens);
        if (tokens.some(({ finishReason }) => finishReason !== null)) resolve(made);
      },
    });
  });
}

async function complete(asked: DecodeRequest): Promise<number[]> {
  return (await decode(asked)).map(({ id }) => id);
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

it('decodes in 8 bits near the policy, where that is asked for', async () => {
  const policy = await folderPolicy(BUILTIN_POLICY);
  const rounded = createDecoder({ ...policy, rows: 4, threads: 1, precision: 'int8' });
  const asked = { ...request([2, 30, 3]), topLogprobs: 1 };
  const [[exact], [near]] = [await decode(asked), await decode(asked, rounded)];
  const off = Math.abs(exact!.top[0]!.logprob - near!.top[0]!.logprob);
  expect(off).toBeGreaterThan(0);
  expect(off).toBeLessThan(0.05);
  await rounded.close();
});
