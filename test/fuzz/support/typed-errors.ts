import { ToolsampleError, type ErrorCode } from '../../../contracts/errors.ts';

/** A message that fills the screen, or worse, helps nobody. */
const LONGEST_MESSAGE = 2000;

/**
 * Runs a reader on untrusted input: it gives a value, or throws one line of the kind that users see.
 * @returns the value; undefined where the input was refused
 */
export async function refusing<T>(
  codes: readonly ErrorCode[],
  read: () => Promise<T> | T,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ToolsampleError)) throw error;
    if (!codes.includes(error.code)) {
      throw new Error(`code ${error.code} is not one of ${codes.join(', ')}`, { cause: error });
    }
    if (error.message.length > LONGEST_MESSAGE) {
      throw new Error(`a message of ${error.message.length} characters`, { cause: error });
    }
    return undefined;
  }
}
