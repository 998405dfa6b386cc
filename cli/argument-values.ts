import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';

/** Whole hours, from 1. @throws InvalidArgumentError */
export function hours(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) < 1)
    throw new InvalidArgumentError('Give whole hours, at least 1.');
  return Number(text);
}

/** A port that can be listened on. @throws InvalidArgumentError */
export function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535)
    throw new InvalidArgumentError('Ports are 1 to 65535.');
  return Number(text);
}

/** `127.0.0.1:9464` or `[::1]:9464`. @throws InvalidArgumentError */
export function socketAddress(text: string): string {
  const [, six, four, port = ''] = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(text) ?? [];
  if (isIP(six ?? four ?? '') !== (six === undefined ? 4 : 6))
    throw new InvalidArgumentError('Give an IP address and a port: 127.0.0.1:9464.');
  portNumber(port);
  return text;
}

/** A step; they count from 1. @throws InvalidArgumentError */
export function stepNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('Steps count from 1.');
  return Number(text);
}

/** From 0. @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give a whole number, 0 or more.');
  return Number(text);
}

/** From 1. @throws InvalidArgumentError */
export function atLeastOne(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('Give a whole number, at least 1.');
  return Number(text);
}

/** Whole seconds of a timer, which goes off at once where they are too many. @throws InvalidArgumentError */
export function timerSeconds(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1 || Number(text) > 2_000_000)
    throw new InvalidArgumentError('Give whole seconds, 1 to 2000000.');
  return Number(text);
}

/** `uniform,dscl`. */
export function wordList(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** A number with or without separators, `120,000`, or the text itself, for whoever checks it to refuse with a reason. */
export function numberText(text: string): number | string {
  return /^\d[\d_,]*$/.test(text) ? Number(text.replaceAll(/[_,]/g, '')) : text;
}
