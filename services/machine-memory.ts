import { totalmem } from 'node:os';

/** Bytes that this process could ever have: the machine's memory, or what a container leaves of it. */
export function machineMemory(): number {
  const total = totalmem();
  // Without a limit: undefined, 0, or a number beyond any machine, depending on the version of Node.
  const limit: number | undefined = process.constrainedMemory();
  return limit === undefined || limit <= 0 ? total : Math.min(limit, total);
}
