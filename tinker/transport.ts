import { setTimeout as sleep } from 'node:timers/promises';
import { ToolsampleError } from '../contracts/errors.ts';
import { refusalAnswer } from './answers.ts';
import { inShort, ServiceRefusal } from './refusal.ts';
import { silenceLimit, type SilenceLimit } from './silence-limit.ts';
import { PROTOBUF } from './wire-format.ts';

/** How long a service is waited for. */
export interface Patience {
  /** Milliseconds in which a service that is away, or fails, may come back. Temporal's attempts come on top. */
  readonly away: number;
  /** Milliseconds for which a service that asks to wait (408, 425, 429) is waited for. */
  readonly busy: number;
  /** Milliseconds before a request is made again at first; each time twice as long. */
  readonly pause: number;
}

export interface TransportOptions {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly patience: Patience;
  /** Milliseconds without a byte after which a request is given up; default: a minute. */
  readonly silence?: number;
}

export interface RequestOptions {
  readonly signal: AbortSignal;
  /** Told whenever the service answers, if only that it is busy. */
  readonly onAnswer?: () => void;
}

/** Of a call: an object as JSON, bytes as protobuf, null for a GET. */
export type RequestBody = object | Uint8Array | null;

export interface Answer {
  readonly bytes: Uint8Array;
  /** Protobuf; else JSON. */
  readonly binary: boolean;
}

/** HTTP to a training service: bounded in time and size, patient with what passes. */
export interface Transport {
  /**
   * Calls the API; the same request may be made several times.
   *
   * @throws ServiceRefusal when the service says no; ToolsampleError `service` when it does not answer; the signal's reason
   */
  call(call: string, body: RequestBody, options: RequestOptions): Promise<Answer>;
  /** A file, from the API or from where it points to. Throws like {@link call}. */
  file(call: string, options: RequestOptions): Promise<Uint8Array>;
}

/** Without a byte. `retrieve_future` answers within it or is asked again. */
const SILENCE_MS = 60_000;
/** From one place of a file to the next. */
const MAX_REDIRECTS = 5;
/** The call that fetches the outcome of work. */
export const RETRIEVE = 'retrieve_future';
const LONGEST_PAUSE_MS = 8_000;
const LONGEST_ASKED_PAUSE_MS = 60_000;

/** Log-probabilities of the largest piece of a batch take a tenth of it. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_FILE_BYTES = 2 * 1024 * 1024 * 1024;
const MAX_REFUSAL_BYTES = 64 * 1024;

const BUSY: ReadonlySet<number> = new Set([408, 425, 429]);

type Headers = Readonly<Record<string, string>>;

/** What came of one attempt. */
type Attempt =
  | ({ readonly kind: 'answer' } & Answer)
  | { readonly kind: 'busy'; readonly pause: number | null; readonly reason: string }
  | { readonly kind: 'away'; readonly reason: string };

export function createTransport(options: TransportOptions): Transport {
  const { baseUrl, apiKey, patience, silence = SILENCE_MS } = options;
  const root = `${baseUrl.replace(/\/+$/, '')}/api/v1/`;
  const withoutKey = (text: string): string =>
    apiKey === undefined || apiKey === '' ? text : text.replaceAll(apiKey, '…');

  /** A file where the API says that it is, and wherever that points to. */
  const elsewhere = async (from: string, headers: Headers, signal: AbortSignal) => {
    let place = new URL(from, root);
    let known = headers;
    for (let hops = 1; ; hops++) {
      // To a storage that is not the service's own the key does not go, nor to where that points.
      if (place.origin !== new URL(root).origin) known = {};
      const response = await fetch(place, { headers: known, redirect: 'manual', signal });
      const next = response.headers.get('location');
      if (next === null || response.status >= 400 || hops === MAX_REDIRECTS) return response;
      place = new URL(next, place);
    }
  };

  const attempt = async (
    call: string,
    body: RequestBody,
    most: number,
    signal: AbortSignal,
  ): Promise<Attempt> => {
    const binary = body instanceof Uint8Array;
    const limit = silenceLimit(signal, silence);
    const headers: Headers = {
      accept: `application/json, ${PROTOBUF}`,
      ...(body === null ? {} : { 'content-type': binary ? PROTOBUF : 'application/json' }),
      ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    };
    try {
      const response = await fetch(`${root}${call}`, {
        method: body === null ? 'GET' : 'POST',
        headers,
        ...(body === null ? {} : { body: binary ? body : JSON.stringify(body) }),
        redirect: 'manual',
        signal: limit.signal,
      });
      limit.heard();
      if (response.ok) return await answered(response, most, limit);
      const { status } = response;
      const place = response.headers.get('location');
      if (body === null && place !== null && status < 400) {
        const file = await elsewhere(place, headers, limit.signal);
        limit.heard();
        if (file.ok) return await answered(file, most, limit);
        throw new ServiceRefusal(call, file.status, 'the file is not where the service says');
      }
      const detail = withoutKey(detailOf(await bytesOf(response, MAX_REFUSAL_BYTES, limit)));
      const reason = `${status} ${inShort(detail)}`.trim();
      if (BUSY.has(status)) {
        return {
          kind: 'busy',
          pause: askedPause(response) ?? (status === 408 ? patience.pause : null),
          reason,
        };
      }
      if (status >= 500) return { kind: 'away', reason };
      throw new ServiceRefusal(call, status, detail);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ServiceRefusal || error instanceof ToolsampleError) throw error;
      const reason = withoutKey(reasonOf(error));
      // Services hold this one back until there is an outcome: silence is no absence.
      const held = call === RETRIEVE && error instanceof Error && error.name === 'TimeoutError';
      return held ? { kind: 'busy', pause: patience.pause, reason } : { kind: 'away', reason };
    } finally {
      limit.end();
    }
  };

  const patiently = async (
    call: string,
    body: RequestBody,
    most: number,
    { signal, onAnswer }: RequestOptions,
  ): Promise<Answer> => {
    let awaySince: number | null = null;
    const begun = performance.now();
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted();
      const outcome = await attempt(call, body, most, signal);
      const now = performance.now();
      if (outcome.kind !== 'away') onAnswer?.();
      if (outcome.kind === 'answer') return outcome;
      awaySince = outcome.kind === 'away' ? (awaySince ?? now) : null;
      const backoff = Math.min(LONGEST_PAUSE_MS, patience.pause * 2 ** Math.min(tries, 10));
      const pause = outcome.kind === 'busy' ? (outcome.pause ?? backoff) : backoff;
      const spent = awaySince === null ? now - begun : now - awaySince;
      if (spent + pause > (awaySince === null ? patience.busy : patience.away)) {
        throw new ToolsampleError(
          'service',
          `the training service at ${baseUrl} ${outcome.kind === 'busy' ? 'keeps asking to wait' : 'does not answer'}: ${outcome.reason}`,
          { hint: 'check that it runs; the step is tried again' },
        );
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  };

  return {
    call: (call, body, options) => patiently(call, body, MAX_BYTES, options),
    file: async (call, options) => (await patiently(call, null, MAX_FILE_BYTES, options)).bytes,
  };
}

async function answered(response: Response, most: number, limit: SilenceLimit): Promise<Attempt> {
  const binary = response.headers.get('content-type')?.startsWith(PROTOBUF) === true;
  return { kind: 'answer', bytes: await bytesOf(response, most, limit), binary };
}

/** A body as far as it is allowed to go. */
async function bytesOf(response: Response, most: number, limit: SilenceLimit): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    limit.heard();
    const bytes = part as Uint8Array;
    size += bytes.length;
    if (size > most) {
      throw new ToolsampleError('service', `the training service sends more than ${most} bytes`, {
        hint: 'is tinker_base_url the address of a service with the Tinker API?',
      });
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

/** What a service says of its refusal. */
function detailOf(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  try {
    const { data } = refusalAnswer.safeParse(JSON.parse(text));
    return data === undefined ? text : (Object.values(data)[0] ?? '');
  } catch {
    return text;
  }
}

/** Milliseconds, where the service says how long to wait in seconds. */
function askedPause(response: Response): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < 0) return null;
  return Math.min(LONGEST_ASKED_PAUSE_MS, seconds * 1000);
}

/** Of `fetch failed` the cause tells more. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== ''
    ? error.cause.message
    : error.message;
}
