import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { toFailure } from '../../activities/failure.ts';
import { ERROR_CODES, ToolsampleError } from '../../contracts/errors.ts';

/** What drizzle throws: its own message repeats the statement, the cause tells. */
function queryError(cause: Error): Error {
  return new Error('Failed query: select *\nfrom "runs"\nparams: secret', { cause });
}

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

function failureOf(error: unknown, attempt = 1): ApplicationFailure {
  const failure = toFailure(error, attempt);
  if (!(failure instanceof ApplicationFailure)) throw new Error('not an ApplicationFailure');
  return failure;
}

describe('toFailure', () => {
  it.each(ERROR_CODES)('keeps line, code and retryability of our own error %s', (code) => {
    const error = new ToolsampleError(code, 'is odd', { at: { file: 'a', row: 3 }, hint: 'mend' });
    const failure = failureOf(error);
    expect(failure.message).toBe('a, row 3: is odd — mend');
    expect(failure.type).toBe(code);
    expect(failure.nonRetryable).toBe(!['disk-full', 'out-of-memory', 'service'].includes(code));
    expect(failure.details).toEqual([{ file: 'a', row: 3 }]);
  });

  it.each([
    [
      'a refused connection',
      queryError(withCode('connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED')),
    ],
    ['a database that shuts down', queryError(withCode('terminating connection', '57P01'))],
    ['a connection that ended', queryError(new Error('Connection terminated unexpectedly'))],
    [
      'several addresses that refuse',
      new AggregateError([withCode('connect ECONNREFUSED ::1:1', 'ECONNREFUSED')], ''),
    ],
  ])('waits for %s, whatever the attempt', (_name, error) => {
    const failure = failureOf(error, 9);
    expect(failure).toMatchObject({ type: 'service', nonRetryable: false });
    expect(failure.message).not.toContain('Failed query');
    expect(failure.message).not.toContain('\n');
  });

  it('names a full disk', () => {
    const failure = failureOf(withCode('write', 'ENOSPC'), 9);
    expect(failure).toMatchObject({ type: 'disk-full', nonRetryable: false });
  });

  it('tries the unforeseen a few times, then gives up', () => {
    const error = new TypeError('x is not a function');
    expect([1, 2, 3, 4].map((attempt) => failureOf(error, attempt).nonRetryable)).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(failureOf(error).message).toBe('x is not a function');
  });

  it('leaves cancellation and finished failures alone', () => {
    const cancelled = new CancelledFailure('stop');
    const failed = ApplicationFailure.retryable('again', 'stalled');
    expect(toFailure(cancelled, 1)).toBe(cancelled);
    expect(toFailure(failed, 9)).toBe(failed);
  });

  it('takes what is no error at all', () => {
    expect(failureOf('a string').message).toBe('a string');
  });
});
