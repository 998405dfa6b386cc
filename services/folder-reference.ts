import { existsSync } from 'node:fs';

/** Whether a policy that a user names is a folder: what looks like a path is, and a folder wins over a run of its name. */
export function namesFolder(reference: string): boolean {
  return /[/\\]/.test(reference) || existsSync(reference);
}
