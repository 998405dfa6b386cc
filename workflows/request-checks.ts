import { ApplicationFailure } from '@temporalio/workflow';
import type { ErrorCode } from '../contracts/errors.ts';
import { LONGEST_NAME, LONGEST_SETTINGS, MOST_SETTINGS } from '../contracts/requests.ts';

/** @throws ApplicationFailure `refused`: the run's state rules the request out. */
export function refuse(run: string, why: string): never {
  fail('refused', `run "${run}" ${why}`);
}

/** Checks what any request carries, whoever sent it. @throws ApplicationFailure `config` */
export function checkAsked(asked: unknown): void {
  if (asked === undefined || asked === null) return;
  if (!isObject(asked)) fail('config', 'a request carries one object, or nothing');
  const { by, export: exported } = asked;
  if (by !== undefined && (typeof by !== 'string' || by.length > LONGEST_NAME || by === '')) {
    fail('config', `field "by": must be a text of 1 to ${LONGEST_NAME} characters`);
  }
  if (exported !== undefined && typeof exported !== 'boolean') {
    fail('config', 'field "export": must be true or false');
  }
}

/** Checks the form of `set`; the worker checks the rest. @throws ApplicationFailure `config` */
export function checkSettings(asked: unknown): void {
  const settings = isObject(asked) ? asked['settings'] : undefined;
  if (!isObject(settings)) {
    fail('config', 'field "settings": must be an object, e.g. {"learning_rate": 0.0001}');
  }
  const { length } = Object.keys(settings);
  if (length === 0 || length > MOST_SETTINGS) {
    fail('config', `field "settings": must name 1 to ${MOST_SETTINGS} settings`);
  }
  if (JSON.stringify(settings).length > LONGEST_SETTINGS) {
    fail('config', `field "settings": is longer than ${LONGEST_SETTINGS} characters of JSON`);
  }
}

function fail(type: ErrorCode, message: string): never {
  throw ApplicationFailure.nonRetryable(message, type);
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
