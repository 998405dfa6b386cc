import { InferenceSession } from 'onnxruntime-node';
import { expect, test, vi } from 'vitest';
import { createGenerationSessions } from '../../policy/generation/generation-sessions.ts';
import { initialWeights } from '../../policy/models/initial-weights.ts';
import { TINY } from './support/tiny-policy.ts';

test('a session that could not be opened is opened when it is asked for again', async () => {
  const sessions = createGenerationSessions(TINY.traits, { threads: 1, device: 'cpu' });
  const create = vi
    .spyOn(InferenceSession, 'create')
    .mockRejectedValueOnce(new Error('Failed to allocate memory'));
  await expect(sessions.prefill('mixed')).rejects.toThrow('memory');
  const session = await sessions.prefill('mixed');
  expect(await sessions.prefill('mixed')).toBe(session);
  expect(create).toHaveBeenCalledTimes(2);
  create.mockRestore();
  await sessions.close();
});

test('sessions of a choice stay when the others are closed, which are opened again when asked for', async () => {
  const sessions = createGenerationSessions(TINY.traits, { threads: 1, device: 'cpu' });
  const weights = initialWeights(TINY.traits, 1);
  const sampled = await sessions.prefill('sampled');
  const greedy = await sessions.prefill('greedy');
  const packed = await sessions.decode('greedy', 'packed', weights, 'a');
  await sessions.close('greedy');
  expect(await sessions.prefill('greedy')).toBe(greedy);
  expect(await sessions.decode('greedy', 'packed', weights, 'a')).toBe(packed);
  const again = await sessions.prefill('sampled');
  expect(again).not.toBe(sampled);
  await sessions.close();
  expect(await sessions.prefill('sampled')).not.toBe(again);
  expect(await sessions.prefill('greedy')).not.toBe(greedy);
  expect(await sessions.decode('greedy', 'packed', weights, 'a')).not.toBe(packed);
  await sessions.close();
});
