import { hostname, userInfo } from 'node:os';
import { LONGEST_NAME } from '../contracts/requests.ts';

/** For the record of a request: user and machine. */
export function whoAsks(): string {
  return `${userName()}@${hostname()}`.slice(0, LONGEST_NAME);
}

/** A user whom the machine's list does not have goes by number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
