import { ownVersion } from '../contracts/version.ts';
import { doneAnswer, sessionAnswer } from './answers.ts';
import type { TinkerClient } from './client.ts';
import { isStale } from './refusal.ts';
import type { RequestOptions } from './transport.ts';
import { silenceLimit } from './silence-limit.ts';

/** Services unload the models of a session that they have not heard of for five minutes. */
const BEAT_MS = 10_000;

/** A session that is open. */
export interface OpenSession {
  readonly id: string;
  /** The number of the next model in it, by which a request that is made again is known. */
  nextModel(): number;
}

/** Our session at a service. Beats by itself, also between calls, so that the model stays loaded. */
export interface ServiceSession {
  /** The session; opens one where there is none, or the service has forgotten it. */
  open(options: RequestOptions): Promise<OpenSession>;
  /** Forgets it: the next {@link open} opens another. */
  drop(): void;
  /** Ends the beats for good. */
  close(): void;
}

/** @param onLost Told when the service no longer knows the session, and so none of its models. */
export function createServiceSession(client: TinkerClient, onLost: () => void): ServiceSession {
  let current: OpenSession | null = null;
  let timer: NodeJS.Timeout | undefined;
  const closing = new AbortController();

  const beat = async (session: OpenSession): Promise<void> => {
    const limit = silenceLimit(closing.signal, BEAT_MS);
    try {
      const { signal } = limit;
      await client.ask('session_heartbeat', { session_id: session.id }, doneAnswer, { signal });
    } catch (error) {
      // A beat that is missed is made up for by the next one; calls notice a service that is away.
      if (!isStale(error) || current !== session) return;
      drop();
      onLost();
    } finally {
      limit.end();
    }
  };
  const drop = (): void => {
    clearInterval(timer);
    current = null;
  };
  return {
    async open(options) {
      if (current !== null) return current;
      const body = {
        tags: ['toolsample'],
        user_metadata: null,
        sdk_version: `toolsample/${ownVersion()}`,
        type: 'create_session',
      };
      const { session_id: id } = await client.ask('create_session', body, sessionAnswer, options);
      let models = 0;
      const opened = { id, nextModel: () => models++ };
      current = opened;
      timer = setInterval(() => void beat(opened), BEAT_MS);
      // A program may end while nobody calls.
      timer.unref();
      return opened;
    },
    drop,
    close() {
      closing.abort(new Error('closed'));
      drop();
    },
  };
}
