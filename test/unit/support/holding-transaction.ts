import { eq } from 'drizzle-orm';
import { toFailure } from '../../../activities/failure.ts';
import { lockArtifactReferences } from '../../../db/artifact-references.ts';
import { connect } from '../../../db/connection.ts';
import { lockRun } from '../../../db/runs.ts';
import { runs } from '../../../db/schema/runs.ts';

/**
 * A process that holds a run's row and the lock of the checkpoints, until a message comes: `node … URL RUN SILENCE_MS`. It tells when
 * it holds them, and how its transaction failed.
 */
const [url = '', run = '', silenceMs = ''] = process.argv.slice(2);
const connection = connect(url, { silenceMs: Number(silenceMs) });

try {
  await connection.db.transaction(async (tx) => {
    await lockArtifactReferences(tx);
    await lockRun(tx, run);
    process.send?.({ held: true });
    await new Promise((resolve) => {
      process.once('message', resolve);
    });
    await tx.update(runs).set({ reason: 'of the frozen one' }).where(eq(runs.run, run));
  });
  process.send?.({ failure: null });
} catch (error) {
  const { message, type, nonRetryable } = toFailure(error, () => 9) as {
    readonly message?: string;
    readonly type?: string;
    readonly nonRetryable?: boolean;
  };
  process.send?.({ failure: { message, type, nonRetryable } });
}
await connection.close();
process.disconnect();
