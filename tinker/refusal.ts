import { cutText } from '../contracts/cut-text.ts';
import { ToolsampleError } from '../contracts/errors.ts';

const SHOWN = 300;

/** What a service says, as far as it is repeated: some repeat the whole request. */
export function inShort(detail: string): string {
  return cutText(detail.replaceAll(/\s+/g, ' '), SHOWN);
}

/** A service understood a request and said no. Never leaves this folder: {@link forUsers} says it in the product's words. */
export class ServiceRefusal extends Error {
  override readonly name = 'ServiceRefusal';
  /** Of HTTP; 400 for work that failed. */
  readonly status: number;
  /** Which call of the API. */
  readonly call: string;
  readonly detail: string;

  constructor(call: string, status: number, detail: string) {
    const short = inShort(detail);
    super(`${call}: ${status} ${short}`);
    this.call = call;
    this.status = status;
    this.detail = short;
  }
}

/**
 * Whether the service no longer knows the session or the model that we had there: it was restarted, or has unloaded them. What was saved
 * is loaded into a new model then.
 */
export function isStale(error: unknown): boolean {
  if (!(error instanceof ServiceRefusal)) return false;
  if (error.status === 404 || error.status === 410) return true;
  return error.status === 400 && /not loaded|not found|unloaded|expired/i.test(error.detail);
}

/** An error as users see it; what is no refusal stays what it is. */
export function forUsers(error: unknown): unknown {
  if (!(error instanceof ServiceRefusal)) return error;
  const { status, call, detail } = error;
  if (status === 401 || status === 403) {
    return new ToolsampleError('config', `the training service does not let us in (${status})`, {
      hint: 'give the worker its key in TINKER_API_KEY, and start it again',
      cause: error,
    });
  }
  if (isStale(error)) {
    return new ToolsampleError('service', `the training service lost the model: ${detail}`, {
      hint: 'it is loaded again from what was saved last',
      cause: error,
    });
  }
  return new ToolsampleError('config', `the training service refuses ${call}: ${detail}`, {
    hint: 'see docs/tinker.md for what a service has to offer',
    cause: error,
  });
}
