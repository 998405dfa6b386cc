import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whether a process with this id exists, whoever owns it. A zombie counts; see {@link isRunning}. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** The process's command line, its arguments joined by blanks; null when there is none (gone, or a zombie). */
async function commandLine(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    try {
      const text = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      return text === '' ? null : text.split('\0').join(' ').trim();
    } catch {
      return null;
    }
  }
  try {
    const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]);
    return stdout.trim() === '' ? null : stdout.trim();
  } catch {
    return null;
  }
}

/**
 * Whether the process is alive and is the one that is meant: process ids are reused, after a reboot above all, so its
 * command line must contain every mark (the program's name and a path that only we gave it).
 */
export async function isRunning(pid: number, marks: readonly string[]): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const line = await commandLine(pid);
  return line !== null && marks.every((mark) => line.includes(mark));
}

/** A signal and how long to wait for its effect. */
export interface StopAttempt {
  readonly signal: NodeJS.Signals;
  readonly milliseconds: number;
}

/**
 * Sends the signals one after another until the process is gone; never signals a process that lacks the marks.
 * @returns the signal that ended it, or null when it was not running.
 */
export async function stopProcess(
  pid: number,
  marks: readonly string[],
  attempts: readonly StopAttempt[],
): Promise<NodeJS.Signals | null> {
  for (const { signal, milliseconds } of attempts) {
    if (!(await isRunning(pid, marks))) return null;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (errorCode(error) === 'ESRCH') return null;
      throw error;
    }
    for (const deadline = Date.now() + milliseconds; Date.now() < deadline;) {
      await sleep(25);
      if (!(await isRunning(pid, marks))) return signal;
    }
  }
  throw new Error(`process ${pid} does not end`);
}

/** The first line of a pid file as a number; null when the file is absent or holds none. */
export async function readPidFile(path: string): Promise<number | null> {
  try {
    const pid = Number.parseInt((await readFile(path, 'utf8')).trimStart(), 10);
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/**
 * When a process began, in the machine's own terms: with the pid it names one process for good, across reboots too.
 * Null when the process does not exist or the system does not say.
 */
export async function startToken(pid: number): Promise<string | null> {
  try {
    if (process.platform === 'linux') {
      const [stat, boot] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'utf8'),
        readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      ]);
      // The command name may contain blanks and parentheses; field 3 follows its last parenthesis, field 22 is the start.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return `${boot.trim()}/${fields[19] ?? ''}`;
    }
    const { stdout } = await run('ps', ['-o', 'lstart=', '-p', String(pid)]);
    return stdout.trim() === '' ? null : stdout.trim();
  } catch {
    return null;
  }
}

/** The `code` of a Node or Postgres error (`ENOENT`, `57P03`, …). */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** An error's message, whatever was thrown; the parts of an `AggregateError` (Node's failed connections) joined. */
export function errorMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((part) => errorMessage(part)).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
