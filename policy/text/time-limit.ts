import { createContext, Script } from 'node:vm';
import { isNativeError } from 'node:util/types';

/** Thrown by {@link withinTime}. */
export class TimeLimitError extends Error {}

/** Below this share of the limit on a processor, the process was stopped or starved, and the time says nothing. */
const LEAST_SHARE = 0.5;

/**
 * Runs `work`, which must not wait for anything, and ends it after a time: also in the middle of a regular expression that
 * tries all ways to match. A process that slept meanwhile (Ctrl-Z, a suspended laptop) gets a second try.
 * @throws TimeLimitError
 */
export type TimeLimit = <T>(milliseconds: number, work: () => T) => T;

/** What `work` comes to; null where it takes longer than that. */
export function withinLimit<T>(limit: TimeLimit, milliseconds: number, work: () => T): T | null {
  try {
    return limit(milliseconds, work);
  } catch (error) {
    if (error instanceof TimeLimitError) return null;
    throw error;
  }
}

/** Costs 0.2 to 0.5 ms a call: the limit takes a thread that watches the clock. */
export function createTimeLimit(): TimeLimit {
  const scope = { work: (): unknown => undefined };
  const context = createContext(scope);
  const script = new Script('work()');
  return <T>(milliseconds: number, work: () => T): T => {
    for (let attempt = 1; ; attempt++) {
      const before = process.cpuUsage();
      scope.work = work;
      try {
        return script.runInContext(context, { timeout: milliseconds }) as T;
      } catch (error) {
        if (!isTimeout(error)) throw error;
        const { user, system } = process.cpuUsage(before);
        const worked = (user + system) / 1000;
        if (attempt === 2 || worked >= milliseconds * LEAST_SHARE) {
          throw new TimeLimitError(`takes longer than ${milliseconds / 1000} s`);
        }
      } finally {
        scope.work = () => undefined;
      }
    }
  };
}

/** The error comes from the context: it is no instance of this side's `Error`. */
function isTimeout(error: unknown): boolean {
  if (!isNativeError(error) || !('code' in error)) return false;
  return error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
