/** A piece of work that was committed as soon as it was done. */
interface TimedPiece {
  /** By the clock of Postgres, which is one for all workers. */
  readonly committedAt: Date;
  readonly seconds: number;
}

/**
 * Seconds in which at least one of the pieces was being worked on: what workers do side by side counts once, what one worker does piece
 * by piece adds up, and waiting, as for a worker that was lost, does not count.
 */
export function busySeconds(pieces: readonly TimedPiece[]): number {
  const spans = pieces
    .map(({ committedAt, seconds }) => ({
      begin: committedAt.getTime() / 1000 - seconds,
      end: committedAt.getTime() / 1000,
    }))
    .sort((a, b) => a.begin - b.begin);
  let busy = 0;
  let counted = -Infinity;
  for (const { begin, end } of spans) {
    busy += Math.max(0, end - Math.max(begin, counted));
    counted = Math.max(counted, end);
  }
  return busy;
}
