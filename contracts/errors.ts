/**
 * What went wrong, as a closed list: the CLI maps it to an exit code, activities to retryable or not.
 *
 * - `config`, `dataset`, `checkpoint`, `tokenizer`, `not-found`: the user's input; exit code 2, never retried.
 * - `refused`: a request that the state of the run rules out; exit code 2, never retried.
 * - `corrupt-artifact`, `schema`: stored state that cannot be trusted; exit code 2, never retried.
 * - `non-finite`: a loss or gradient that is NaN or infinite; the workflow decides.
 * - `disk-full`, `out-of-memory`, `service`: the machine or a server; exit code 1, retried.
 */
export const ERROR_CODES = [
  'config',
  'dataset',
  'checkpoint',
  'tokenizer',
  'not-found',
  'refused',
  'corrupt-artifact',
  'schema',
  'non-finite',
  'disk-full',
  'out-of-memory',
  'service',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['disk-full', 'out-of-memory', 'service']);

/** Where the cause lies, as precisely as it is known. */
export interface ErrorLocation {
  readonly file?: string;
  /** 1-based line or row. */
  readonly row?: number;
  /** Field, tensor or configuration key. */
  readonly field?: string;
}

/**
 * The one error type that users see: what was wrong, where, and what to do.
 * `message` is a single line that already contains all three.
 */
export class ToolsampleError extends Error {
  override readonly name = 'ToolsampleError';
  readonly code: ErrorCode;
  readonly location: ErrorLocation;
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    problem: string,
    options: { at?: ErrorLocation; hint?: string; cause?: unknown } = {},
  ) {
    const at = options.at ?? {};
    const where = [
      at.file,
      at.row === undefined ? undefined : `row ${at.row}`,
      at.field === undefined ? undefined : `field "${at.field}"`,
    ].filter((part) => part !== undefined);
    const place = where.length > 0 ? `${where.join(', ')}: ` : '';
    const advice = options.hint === undefined ? '' : ` — ${options.hint}`;
    super(
      `${place}${problem}${advice}`,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.code = code;
    this.location = at;
    this.hint = options.hint;
  }

  /** Whether trying again later, with nothing changed by the user, can succeed. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }

  /** The process exit code: 2 for what the user must change, 1 for what failed around us. */
  get exitCode(): 1 | 2 {
    return this.retryable || this.code === 'non-finite' ? 1 : 2;
  }
}
