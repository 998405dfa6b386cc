/** Codes of the system and of Postgres (class 57: it is shutting down or starting) for a server that went away. */
const LOST = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P01', '57P02', '57P03']);

/** Whether a server that answered before is gone; drivers wrap that into errors of their own. */
export function isLostConnection(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && LOST.has(code)) return true;
    if (
      /^(Connection terminated|Channel has been shut down|timeout exceeded when trying to connect|Query read timeout)/.test(
        cause.message,
      )
    )
      return true;
  }
  return false;
}
