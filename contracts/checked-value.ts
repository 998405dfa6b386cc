import type { z } from 'zod';
import { schemaProblem } from './schema-problem.ts';

/** What a schema makes of a value, as zod has it. */
export type CheckedValue<T> =
  | { readonly success: true; readonly data: T; readonly error?: undefined }
  | { readonly success: false; readonly data?: undefined; readonly error: Issues };

/** Without a path where it is the value as a whole. */
type Issues = Pick<z.ZodError, 'issues'>;

/**
 * `schema.safeParse` for a value from outside, with messages in our words. zod asks for the length of whatever has one, before it minds the type, and compares it:
 * an object in that place (`{"length": {"toString": 1, "valueOf": 1}}`) is an exception then.
 */
export function checkValue<T>(schema: z.ZodType<T>, value: unknown): CheckedValue<T> {
  try {
    return schema.safeParse(value, { error: schemaProblem });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const message = 'holds a value that is neither text, number nor list';
    return { success: false, error: { issues: [{ code: 'custom', path: [], message }] } };
  }
}
