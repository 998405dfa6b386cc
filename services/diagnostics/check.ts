import { errorMessage } from '../process.ts';

/** One finding of `toolsample doctor`. */
export interface Check {
  /** What was looked at, e.g. `Memory`. */
  readonly name: string;
  /** `warn`: works, with a limit worth knowing. `fail`: runs cannot start until it is put right. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do; null when all is well. */
  readonly advice: string | null;
}

/** A finding, or, when looking threw, a failure that says so: one broken check must not hide the others. */
export async function check(
  name: string,
  look: () => Promise<Omit<Check, 'name'>> | Omit<Check, 'name'>,
): Promise<Check> {
  try {
    return { name, ...(await look()) };
  } catch (error) {
    const [found = '', advice = null] = errorMessage(error).split(' — ');
    return { name, status: 'fail', found, advice };
  }
}

/** Bytes for people: powers of 1024, as memory and disks are asked for. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
}
