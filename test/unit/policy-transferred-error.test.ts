import { expect, it } from 'vitest';
import { packError, unpackError } from '../../policy/engine/transferred-error.ts';

it.each([
  ['generate', 'shard size', 'microBatchTokens'],
  ['decode', 'shard size', 'microBatchTokens'],
  ['gradientStep', 'microBatchTokens', 'shard size'],
  ['supervise', 'microBatchTokens', 'shard size'],
] as const)('a lack of memory in %s is told with what helps there', (call, helps, other) => {
  const error = unpackError(packError(new Error('Failed to allocate memory for 1 GB'), call));
  expect(error).toMatchObject({ code: 'out-of-memory', retryable: true });
  expect(error.message).toContain(helps);
  expect(error.message).not.toContain(other);
});
