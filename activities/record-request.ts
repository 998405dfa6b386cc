import type { LightActivities, RecordedRequest } from '../contracts/activities.ts';
import type { PendingRequest } from '../contracts/requests.ts';
import { insertRequest, setRequested } from '../db/requests.ts';
import { lockRun } from '../db/runs.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** What a run shows until it has done it; null takes such a note back. Undefined: no note either way. */
const NOTE: { readonly [kind: string]: PendingRequest | null } = {
  pause: 'pause',
  stop: 'stop',
  cancel: 'cancel',
  continue: null,
};

/** Records who asked what of a run; the workflow has accepted it and acts on it by itself. */
export async function recordRequest(
  { db }: Pick<ActivityDependencies, 'db'>,
  input: Parameters<LightActivities['recordRequest']>[0],
): Promise<RecordedRequest> {
  return db.transaction(async (tx) => {
    await lockRun(tx, input.run);
    const step = await insertRequest(tx, input);
    const note = NOTE[input.kind];
    if (note !== undefined) await setRequested(tx, input.run, note);
    return { step };
  });
}
