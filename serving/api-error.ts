import { ToolsampleError } from '../contracts/errors.ts';

/** What clients of OpenAI's interface know as types of errors. */
export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'server_error';

/** Statuses that are answered. */
type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 503 | 504;

const TYPES: { readonly [status in ErrorStatus]: ApiErrorType } = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  413: 'invalid_request_error',
  429: 'rate_limit_error',
  500: 'server_error',
  503: 'server_error',
  504: 'server_error',
};

interface ApiErrorOptions {
  /** The field of the request that it is about. */
  readonly param?: string | null;
  readonly code?: string | null;
  readonly headers?: { readonly [name: string]: string };
}

/** An error as it is answered, in OpenAI's form. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: ErrorStatus;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: { readonly [name: string]: string };

  constructor(status: ErrorStatus, message: string, options: ApiErrorOptions = {}) {
    super(message);
    this.status = status;
    this.param = options.param ?? null;
    this.code = options.code ?? null;
    this.headers = options.headers ?? {};
  }

  /** What is sent. */
  get body() {
    const { message, param, code } = this;
    return { error: { message, type: TYPES[this.status], param, code } };
  }
}

/** Codes of errors that lie in what was asked, not in the server. */
const ASKED: ReadonlySet<string> = new Set(['dataset', 'tokenizer']);

/** Any error as it is answered; what nobody foresaw is not told to the client. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ToolsampleError) {
    if (ASKED.has(error.code)) return new ApiError(400, error.message);
    // Its advice is for whoever trains.
    if (error.code === 'out-of-memory') return new ApiError(503, 'not enough memory for this');
    return new ApiError(error.retryable ? 503 : 500, error.message);
  }
  return new ApiError(500, 'the server failed; its log says more');
}
