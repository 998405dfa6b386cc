import { InferenceSession } from 'onnxruntime-node';
import { expect, test, vi } from 'vitest';
import { createGenerationSessions } from '../../policy/generation/generation-sessions.ts';
import { initialWeights, type Weights } from '../../policy/models/initial-weights.ts';
import { TINY } from './support/tiny-policy.ts';

const weights = initialWeights(TINY.traits, 1);
const FED = { place: 'fed', weights, key: 'a' } as const;
const PACKED = { place: 'packed', weights, key: 'a' } as const;

test('a session that could not be opened is opened when it is asked for again', async () => {
  const sessions = createGenerationSessions(TINY.traits, { threads: 1, device: 'cpu' });
  const create = vi
    .spyOn(InferenceSession, 'create')
    .mockRejectedValueOnce(new Error('Failed to allocate memory'));
  await expect(sessions.prefill('mixed', FED)).rejects.toThrow('memory');
  const session = await sessions.prefill('mixed', FED);
  expect(await sessions.prefill('mixed', FED)).toBe(session);
  expect(create).toHaveBeenCalledTimes(2);
  create.mockRejectedValueOnce(new Error('Failed to allocate memory'));
  await expect(sessions.weightType()).rejects.toThrow('memory');
  expect(await sessions.weightType()).toMatch(/^u?int8$/);
  create.mockRestore();
  await sessions.close();
});

test('sessions of a choice stay when the others are closed, which are opened again when asked for', async () => {
  const sessions = createGenerationSessions(TINY.traits, { threads: 1, device: 'cpu' });
  const sampled = await sessions.prefill('sampled', FED);
  const greedy = await sessions.prefill('greedy', FED);
  const packed = await sessions.decode('greedy', PACKED);
  await sessions.close('greedy');
  expect(await sessions.prefill('greedy', FED)).toBe(greedy);
  expect(await sessions.decode('greedy', PACKED)).toBe(packed);
  const again = await sessions.prefill('sampled', FED);
  expect(again).not.toBe(sampled);
  await sessions.close();
  expect(await sessions.prefill('sampled', FED)).not.toBe(again);
  expect(await sessions.prefill('greedy', FED)).not.toBe(greedy);
  expect(await sessions.decode('greedy', PACKED)).not.toBe(packed);
  await sessions.close();
});

test('weights are rounded once for prefill and decoding, and again when they are others', async () => {
  const sessions = createGenerationSessions(TINY.traits, { threads: 1, device: 'cpu' });
  const place = await sessions.weightType();
  const read = vi.fn((name: string) => weights.get(name));
  const watched = { get: read } as unknown as Weights;
  const matrices = { place, weights: watched, key: 'a' };
  const prefill = await sessions.prefill('sampled', matrices);
  const count = read.mock.calls.length;
  const decode = await sessions.decode('sampled', matrices);
  expect(await sessions.prefill('sampled', matrices)).toBe(prefill);
  expect(await sessions.decode('sampled', matrices)).toBe(decode);
  expect(read).toHaveBeenCalledTimes(count);
  expect(await sessions.decode('sampled', { ...matrices, key: 'b' })).not.toBe(decode);
  expect(read).toHaveBeenCalledTimes(2 * count);
  await sessions.forgetWeights();
  expect(await sessions.prefill('sampled', matrices)).not.toBe(prefill);
  await sessions.close();
});
