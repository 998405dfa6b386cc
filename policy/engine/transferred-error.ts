import { ToolsampleError, type ErrorCode, type ErrorLocation } from '../../contracts/errors.ts';
import type { CallName } from './thread-protocol.ts';

/** An error as plain data: structured cloning would lose its class and code. */
export interface TransferredError {
  /** Null: not one of ours. */
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly location: ErrorLocation;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

const OUT_OF_MEMORY = /failed to allocate memory|bad_alloc|array buffer allocation failed/i;

/** What helps where memory runs out in generation. */
const FEWER_COMPLETIONS =
  'lower the shard size (rolloutShardSize, of an evaluation --shard-size) or maxCompletionLength, ask shorter prompts, or free memory';
/** … and in training. */
const SMALLER_STEPS =
  'lower microBatchTokens, trainBatchSize or maxCompletionLength, or free memory';

/** @param call in which it was thrown */
export function packError(error: unknown, call: CallName): TransferredError {
  if (error instanceof ToolsampleError) {
    const { code, message, location, hint, stack } = error;
    return { code, message, location, hint, stack };
  }
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  if (!OUT_OF_MEMORY.test(message)) {
    return { code: null, message, location: {}, hint: undefined, stack };
  }
  const hint = call === 'generate' || call === 'decode' ? FEWER_COMPLETIONS : SMALLER_STEPS;
  const { message: line } = new ToolsampleError('out-of-memory', 'not enough memory', { hint });
  return { code: 'out-of-memory', message: line, location: {}, hint, stack };
}

/** The error as it was thrown, its stack included. */
export function unpackError({ code, message, location, hint, stack }: TransferredError): Error {
  const error = code === null ? new Error(message) : rebuild(code, message, location, hint);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function rebuild(
  code: ErrorCode,
  message: string,
  at: ErrorLocation,
  hint: string | undefined,
): ToolsampleError {
  // The constructor puts place and advice around the problem: measure them, and take the problem out again.
  const options = hint === undefined ? { at } : { at, hint };
  const place = new ToolsampleError(code, '', { at }).message.length;
  const around = new ToolsampleError(code, '', options).message.length;
  const problem = message.slice(place, message.length - (around - place));
  return new ToolsampleError(code, problem, options);
}
