import { access, constants, realpath, statfs } from 'node:fs/promises';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';

import { machineMemory } from '../machine-memory.ts';
import { check, gigabytes, type Check } from './check.ts';

const GIGABYTE = 1024 ** 3;
const OLDEST_NODE = [20, 10] as const;

export function checkNode(version: string = process.versions.node): Promise<Check> {
  return check('Node.js', () => {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    const [oldestMajor, oldestMinor] = OLDEST_NODE;
    const enough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
    return {
      status: enough ? 'ok' : 'fail',
      found: `${version} on ${process.platform}-${process.arch}`,
      advice: enough ? null : `install Node.js ${OLDEST_NODE.join('.')} or newer`,
    };
  });
}

export function checkCores(cores: number = availableParallelism()): Promise<Check> {
  return check('Processor', () => ({
    status: cores >= 2 ? 'ok' : 'warn',
    found: `${cores} ${cores === 1 ? 'core' : 'cores'}`,
    advice:
      cores >= 2 ? null : 'training and the servers share one core: expect twice the time or more',
  }));
}

/** @param available bytes that could be used now; by default also within a container's limit. */
export function checkMemory(available: number = availableMemory()): Promise<Check> {
  return check('Memory', () => {
    const status = available < 0.7 * GIGABYTE ? 'fail' : available < 2 * GIGABYTE ? 'warn' : 'ok';
    return {
      status,
      found: `${gigabytes(available)} available of ${gigabytes(totalmem())}`,
      advice:
        status === 'ok'
          ? null
          : 'the default run takes 1 GB, SmolLM2-135M up to 12 GB: end other programs or use a larger machine',
    };
  });
}

function availableMemory(): number {
  const most = machineMemory();
  return most >= totalmem() ? freemem() : Math.min(freemem(), most - process.memoryUsage.rss());
}

/** Room and rights where the data folder is, or would be made. */
export function checkDisk(home: string): Promise<Check> {
  return check('Disk', async () => {
    const { place: _, ...room } = await roomFor(home);
    return room;
  });
}

/** Room and rights where a folder is, or would be made: then `place` is the nearest that is there. */
export async function roomFor(folder: string): Promise<Omit<Check, 'name'> & { place: string }> {
  const place = await nearestFolder(folder);
  await access(place, constants.W_OK | constants.X_OK);
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const status = free < 0.5 * GIGABYTE ? 'fail' : free < 5 * GIGABYTE ? 'warn' : 'ok';
  return {
    place,
    status,
    found: `${gigabytes(free)} free in ${place}`,
    advice:
      status === 'ok'
        ? null
        : 'the servers take 0.3 GB, checkpoints more: free some space, or choose another data folder with --home',
  };
}

async function nearestFolder(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) throw error;
    return nearestFolder(parent);
  }
}
