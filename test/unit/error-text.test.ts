import { DrizzleQueryError } from 'drizzle-orm';
import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { errorChain, errorFrames, errorLine, errorReport } from '../../contracts/error-text.ts';

const PROMPT = 'Which flights go\n    at /home/a.ts:1:2\nto Oslo?';

/** What drizzle throws when Postgres refuses a row with a prompt. */
function queryError(): DrizzleQueryError {
  const cause = new DatabaseError('value out of range', 1, 'error');
  cause.detail = `Failing row contains (${PROMPT}).`;
  return new DrizzleQueryError('insert into "rollouts" values ($1)', [PROMPT], cause);
}

describe('what is told of an error', () => {
  it('has nothing of the parameters of a query', () => {
    const error = new Error('could not commit', { cause: queryError() });
    expect(error.cause).toHaveProperty('message', expect.stringContaining(PROMPT));
    for (const each of [error, queryError()]) {
      expect(errorChain(each).map(String)).not.toContainEqual(expect.stringContaining('insert'));
      expect(JSON.stringify(errorReport(each))).not.toMatch(/Oslo|flights|insert/);
    }
    expect(errorReport(error).message).toBe('could not commit: value out of range');
  });

  it('has the frames of a stack without its message, even where that looks like frames', () => {
    const frames = errorFrames(queryError());
    expect(frames[0]).toMatch(/^\s+at queryError \(.*error-text\.test\.ts:\d+:\d+\)$/);
    expect(frames.join()).not.toContain('/home/a.ts');
  });

  it('has the frames of an error whose message was changed after it was made', () => {
    const error = new Error(`one\n${PROMPT}`);
    error.message = 'another';
    expect(errorFrames(error).join()).not.toMatch(/Oslo|home/);
    expect(errorFrames(error)[0]).toContain('error-text.test.ts');
  });

  it('is one short line, whatever the message', () => {
    expect(errorLine(new Error(PROMPT))).toBe('Which flights go');
    expect(errorLine(new Error('x'.repeat(10_000))).length).toBeLessThan(600);
    expect(errorLine(`thrown\n${PROMPT}`)).toBe('thrown');
  });

  it('says something of a query error without a cause', () => {
    expect(errorReport(new DrizzleQueryError('select', [PROMPT])).message).toBe('a query failed');
  });

  it('ends for an error that is its own cause', () => {
    const error = new Error('round');
    error.cause = error;
    expect(errorChain(error)).toEqual([error]);
  });
});
