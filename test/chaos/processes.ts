import { readdir, readFile } from 'node:fs/promises';

export interface RunningProcess {
  readonly pid: number;
  /** Its arguments, as `ps` shows them. */
  readonly command: string;
}

/** All processes that we may read, by the kernel's own list (Linux). */
export async function runningProcesses(): Promise<RunningProcess[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    ids.map(async (id) => {
      const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
      return { pid: Number(id), command: command.replaceAll('\0', ' ').trim() };
    }),
  );
}
