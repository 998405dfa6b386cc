import { InferenceSession } from 'onnxruntime-node';
import { expect, test, vi } from 'vitest';
import { createGenerationSessions } from '../../policy/generation/generation-sessions.ts';
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
