import { errorChain } from '../contracts/error-text.ts';

/**
 * Codes of the system, of Node's streams and of Postgres for a server that went away or cannot be reached: classes 08 (connection) and
 * 57 (it is shutting down, starting, or has ended the session), and 25P03: it ended a transaction whose process was silent.
 */
const LOST =
  /^(E(CONNREFUSED|CONNRESET|CONNABORTED|PIPE|TIMEDOUT|HOSTUNREACH|HOSTDOWN|NETUNREACH|NETDOWN|NOTFOUND|AI_AGAIN)|ERR_STREAM_(DESTROYED|WRITE_AFTER_END)|08\w{3}|57P0[1235]|25P03)$/;

/** What pg and Temporal's client say without a code: of a connection that ended, of a client or a pool that has ended with it. */
const LOST_MESSAGE =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end|Channel has been shut down|(connection )?timeout expired|timeout exceeded when trying to connect|Query read timeout)/;

/** Whether a server that answered before is gone; drivers wrap that into errors of their own. */
export function isLostConnection(error: unknown): boolean {
  return errorChain(error).some(
    (each) => ('code' in each && LOST.test(String(each.code))) || LOST_MESSAGE.test(each.message),
  );
}
