import {
  ApplicationFailure,
  CancelledFailure,
  DefaultFailureConverter,
  DefaultPayloadConverter,
} from '@temporalio/common';
import { DrizzleQueryError } from 'drizzle-orm';
import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { toFailure } from '../../activities/failure.ts';
import { ERROR_CODES, ToolsampleError } from '../../contracts/errors.ts';

/** What drizzle throws: its own message repeats the statement and its parameters, the cause tells. */
function queryError(cause: Error): Error {
  return new DrizzleQueryError('select *\nfrom "runs"', [PROMPT], cause);
}

const PROMPT = 'Which flights go\nto Oslo?';

/** Stands for the count where nothing is to be counted. */
function uncounted(): never {
  throw new Error('counted as unforeseen');
}

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

function failureOf(error: unknown, ends = 1): ApplicationFailure {
  const failure = toFailure(error, () => ends);
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
  ])('waits for %s, however often', (_name, error) => {
    const failure = failureOf(error, 9);
    expect(failure).toMatchObject({ type: 'service', nonRetryable: false });
    expect(failure.message).not.toContain('Failed query');
    expect(failure.message).not.toContain('\n');
  });

  it.each([
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Connection terminated due to connection timeout',
    'Cannot use a pool after calling end on the pool',
    'timeout expired',
  ])('waits when pg says: %s', (message) => {
    expect(failureOf(queryError(new Error(message)), 9)).toMatchObject({
      type: 'service',
      nonRetryable: false,
    });
  });

  it.each(['25P03', '57P05', '08006', '53300', '40P01', 'EHOSTUNREACH', 'ERR_STREAM_DESTROYED'])(
    'waits for what code %s stands for',
    (code) => {
      expect(failureOf(queryError(withCode('odd', code)), 9)).toMatchObject({
        type: 'service',
        nonRetryable: false,
      });
    },
  );

  it('takes no prompt for a sign that a server is away', () => {
    const error = new DrizzleQueryError('select 1', ['Connection terminated'], new Error('odd'));
    expect(failureOf(error, 9)).toMatchObject({ message: 'odd', nonRetryable: true });
  });

  it.each([
    ['the server goes away', () => queryError(new Error('Connection terminated unexpectedly'))],
    [
      'a row is refused',
      () => {
        const cause = new DatabaseError('null value in column "x"', 1, 'error');
        cause.detail = `Failing row contains (${PROMPT}).`;
        return queryError(cause);
      },
    ],
    ['the disk is full', () => queryError(withCode('no room', '53100'))],
    ['something else wraps it', () => new Error('commit', { cause: queryError(new Error('odd')) })],
  ])('leaves no parameter of a query for the history when %s', (_name, error) => {
    const converter = new DefaultFailureConverter();
    const stored = converter.errorToFailure(failureOf(error()), new DefaultPayloadConverter());
    const text = JSON.stringify(stored);
    expect(text).not.toMatch(/flights|Oslo|select \*/);
    expect(stored.stackTrace).toContain('activities-failure.test.ts');
  });

  it('names a full disk', () => {
    const failure = failureOf(withCode('write', 'ENOSPC'), 9);
    expect(failure).toMatchObject({ type: 'disk-full', nonRetryable: false });
  });

  it('tries the unforeseen a few times, then gives up', () => {
    const error = new TypeError('x is not a function');
    expect([1, 2, 3, 4].map((ends) => failureOf(error, ends).nonRetryable)).toEqual([
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
    expect(toFailure(cancelled, uncounted)).toBe(cancelled);
    expect(toFailure(failed, uncounted)).toBe(failed);
  });

  it('takes what is no error at all', () => {
    expect(failureOf('a string').message).toBe('a string');
  });
});
