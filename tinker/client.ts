import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { checkValue } from '../contracts/checked-value.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { failedAnswer, waitingAnswer, workAnswer } from './answers.ts';
import { ServiceRefusal } from './refusal.ts';
import {
  createTransport,
  RETRIEVE,
  type Answer,
  type RequestBody,
  type RequestOptions,
  type TransportOptions,
} from './transport.ts';
import { decodeOutcome } from './wire-format.ts';

/** Calls of the Tinker API with their answers checked. */
export interface TinkerClient {
  /** A call that is answered at once. @throws ServiceRefusal, ToolsampleError `service` */
  ask<T>(
    call: string,
    body: RequestBody,
    answer: z.ZodType<T>,
    options: RequestOptions,
  ): Promise<T>;
  /** A call that is queued: submits it and waits for what comes of it. @throws ServiceRefusal, ToolsampleError `service` */
  work<T>(
    call: string,
    body: RequestBody,
    answer: z.ZodType<T>,
    options: RequestOptions,
  ): Promise<T>;
  /** What comes of work that was submitted. @throws ServiceRefusal, ToolsampleError `service` */
  outcome<T>(
    call: string,
    requestId: string,
    answer: z.ZodType<T>,
    options: RequestOptions,
  ): Promise<T>;
  /** A file. @throws ServiceRefusal, ToolsampleError `service` */
  file(call: string, options: RequestOptions): Promise<Uint8Array>;
}

/** Between two looks at work that the service answers at once to be waiting. */
const LOOK_AGAIN_MS = 1_000;

export function createTinkerClient(options: TransportOptions): TinkerClient {
  const transport = createTransport(options);
  const { busy } = options.patience;

  const ask: TinkerClient['ask'] = async (call, body, answer, request) =>
    checked(call, answer, read(call, await transport.call(call, body, request)));

  const outcome: TinkerClient['outcome'] = async (call, requestId, answer, request) => {
    const body = { request_id: requestId };
    const until = performance.now() + busy;
    for (;;) {
      const value = read(call, await transport.call(RETRIEVE, body, request));
      if (!checkValue(waitingAnswer, value).success) {
        const failed = checkValue(failedAnswer, value);
        if (failed.success) throw workFailed(call, failed.data);
        return checked(call, answer, value);
      }
      if (performance.now() > until) {
        throw new ToolsampleError('service', `the training service does not get to ${call}`, {
          hint: 'it has too much to do; the step is tried again',
        });
      }
      await sleep(LOOK_AGAIN_MS, undefined, { signal: request.signal }).catch(() => undefined);
      request.signal.throwIfAborted();
    }
  };

  return {
    ask,
    outcome,
    async work(call, body, answer, request) {
      const { request_id: id } = await ask(call, body, workAnswer, request);
      return outcome(call, id, answer, request);
    },
    file: (call, request) => transport.file(call, request),
  };
}

function workFailed(call: string, { error, category = 'user' }: z.infer<typeof failedAnswer>) {
  const refusal = new ServiceRefusal(call, 400, error);
  if (category === 'user') return refusal;
  return new ToolsampleError(
    'service',
    `the training service failed at ${call}: ${refusal.detail}`,
    {
      hint: 'the step is tried again',
      cause: refusal,
    },
  );
}

function read(call: string, { bytes, binary }: Answer): unknown {
  if (binary) return decodeOutcome(call, bytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ToolsampleError('service', `the training service answers ${call} not in JSON`, {
      hint: 'is tinker_base_url the address of a service with the Tinker API?',
      cause,
    });
  }
}

function checked<T>(call: string, answer: z.ZodType<T>, value: unknown): T {
  const result = checkValue(answer, value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.map(String).join('.') ?? '';
  throw new ToolsampleError(
    'service',
    `the training service answers ${call} with something else than was agreed: ${issue?.message ?? 'unknown'}`,
    {
      ...(place === '' ? {} : { at: { field: place } }),
      hint: 'is tinker_base_url the address of a service with the Tinker API?',
    },
  );
}
